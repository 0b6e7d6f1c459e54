"""Fails where an installed reviva is not whole; takes the checkout that it must not come from."""

import sys
from importlib.resources import files
from pathlib import Path

import reviva
from reviva import _engine
from reviva._pb.v1 import ingest_pb2

package = Path(reviva.__file__).parent
checkout = Path(sys.argv[1]).resolve()
if checkout in package.resolve().parents:
    sys.exit(f"reviva comes from the checkout, not from the wheel: {package}")
for data in ("py.typed", "_engine.pyi", "store/migrations/0001_tables.sql"):
    if not files(reviva).joinpath(data).is_file():
        sys.exit(f"the wheel lacks {data}")
if ingest_pb2.DESCRIPTOR.package != "reviva.v1" or reviva.__version__ != _engine.__version__:
    sys.exit("the wheel's parts do not fit together")
print(f"reviva {reviva.__version__} works from {package}")
