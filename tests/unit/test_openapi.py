import json
from importlib.resources import files
from typing import Any

from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from reviva._pb.v1 import event_pb2
from reviva.gateway.http import ingest_paths
from reviva.gateway.site import Site

DOCUMENT: dict[str, Any] = json.loads((files("reviva.gateway") / "openapi.json").read_text("utf-8"))


def test_it_is_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_it_describes_every_path_and_no_other() -> None:
    site = Site(health=None, metrics=None, tail=None)  # type: ignore[arg-type]  # only its routes are asked for
    routes = {route.path: "get" for route in site.routes() if isinstance(route, Route)}
    routes |= dict.fromkeys(ingest_paths(), "post")
    assert {path: method for path, item in DOCUMENT["paths"].items() for method in item} == routes


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for item in DOCUMENT["paths"].values() for operation in item.values()]
    assert len(names) == len(set(names))


def test_events_have_the_fields_of_the_wire_contract() -> None:
    described = DOCUMENT["components"]["schemas"]["Event"]["properties"]
    assert list(described) == [field.name for field in event_pb2.Event.DESCRIPTOR.fields]
    for name in ("page", "campaign", "client", "element", "library"):
        fields = event_pb2.Event.DESCRIPTOR.fields_by_name[name].message_type.fields
        assert list(described[name]["properties"]) == [field.name for field in fields]
