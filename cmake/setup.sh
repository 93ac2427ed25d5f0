# Sourced by ./quickstart and ./runtests: installs what is missing on Debian 12, and builds.

build_packages="g++ cmake ninja-build libboost-dev libboost-program-options-dev
  nlohmann-json3-dev libeigen3-dev zlib1g-dev libexpat1-dev libjpeg62-turbo-dev libssl-dev catch2
  dataset-fashion-mnist"
# iproute2 is also what lockstep testbed runs.
test_packages="iproute2 python3 python3-jsonschema python3-matplotlib python3-ipykernel
  jupyter-nbconvert"

# install_packages NAME…: with apt, only those that are missing.
install_packages() {
  local missing=()
  local package
  for package in "$@"; do
    if [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
      missing+=("$package")
    fi
  done
  [ ${#missing[@]} -eq 0 ] && return
  echo "installing: ${missing[*]}"
  local as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq \
    --no-install-recommends "${missing[@]}" >/dev/null
}

# build PRESET TARGET…: configures, builds what changed.
build() {
  local preset=$1
  shift
  cmake --preset "$preset" >/dev/null
  cmake --build --preset "$preset" --target "$@" -- --quiet
}
