#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Validates JSON files against a JSON Schema: validate_schema.py SCHEMA FILE...

Prints one line per file and every violation with its place. Status 0 when all files are valid, 1
when one is not, 2 when a file cannot be read. Needs Debian's python3-jsonschema.
"""
import json
import sys

import jsonschema


def refuse(number):
    raise ValueError(f"{number} is not JSON")


def load(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file, parse_constant=refuse)
    except (OSError, ValueError) as error:
        print(f"{path}: {error}", file=sys.stderr)
        sys.exit(2)


def main(arguments):
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    schema = load(arguments[0])
    validator_class = jsonschema.validators.validator_for(schema)
    validator_class.check_schema(schema)
    validator = validator_class(schema)
    valid = True
    for path in arguments[1:]:
        errors = sorted(validator.iter_errors(load(path)), key=lambda error: list(error.path))
        for error in errors:
            place = "/" + "/".join(str(part) for part in error.path)
            print(f"{path}: {place}: {error.message[:300]}")
        print(f"{path}: {'invalid' if errors else 'valid'}")
        valid = valid and not errors
    return 0 if valid else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
