#!/usr/bin/env bash
# Builds the wheels of reviva and of its client, and tries them in a fresh environment, away from the checkout.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
unset PYTHONPATH

rm -rf dist
PATH="$root/.venv/bin:$PATH" maturin build --release --locked --out dist
.venv/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist clients/python
rm -rf clients/python/build # or linters read it, and the next wheel holds what is there no more
.venv/bin/python .ci/wheel_check.py dist/*.whl

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
.venv/bin/python -m venv --without-pip "$scratch/venv"
pip() { "$root/.venv/bin/pip" --quiet --disable-pip-version-check --python "$scratch/venv/bin/python" "$@"; }
pip install --no-deps dist/*.whl
# The dependencies are those of .venv; reviva and its client are the wheels', for their own site-packages come first.
"$root/.venv/bin/python" -c 'import site; print(site.getsitepackages()[0])' >"$scratch/dependencies"
cp "$scratch/dependencies" "$("$scratch/venv/bin/python" -c 'import site; print(site.getsitepackages()[0])')/dependencies.pth"
cd "$scratch"
where=$(venv/bin/python -c 'import reviva, reviva_client; print(reviva.__file__, reviva_client.__file__)')
if [[ $where == *"$root"* ]]; then
	echo "the wheels are not what was imported: $where" >&2
	exit 1
fi
pip check # each has the dependencies that it declares; tests/unit/test_packaging.py holds what it imports against them
venv/bin/reviva demo --check
