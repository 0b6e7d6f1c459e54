"""Tracking plans of a running gateway, as operators set them and clients meet them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from reviva import control
from reviva._pb.v1 import event_pb2, ingest_pb2

from .conftest import EVENT, KEY, Server, wait_until

SCHEMA = json.dumps({"properties": {"price": {"type": "number", "minimum": 0}}, "required": ["price"]})
GOOD: dict[str, Any] = EVENT | {"event_type": "booking_start", "properties": {"price": 9.5}}
BAD: dict[str, Any] = EVENT | {"event_type": "booking_start", "properties": {"price": -1}}
METADATA = (("authorization", f"Bearer {KEY}"),)


@pytest.fixture
def database(server: Server) -> Iterator[Engine]:
    engine = control.connect(f"sqlite:///{server.data_dir / 'control.db'}")
    yield engine
    for plan in control.list_plans(engine):
        control.remove_plan(engine, plan.project_id, plan.event_type)
    wait_until(lambda: post(server, BAD) == {"accepted": 1, "rejections": [], "violations": []})
    engine.dispose()


def post(server: Server, *events: dict[str, Any]) -> dict[str, Any]:
    answer = server.http.post("/v1/events", json={"events": events})
    assert answer.status_code == 200
    return answer.json()


def set_plan(server: Server, database: Engine, mode: control.Mode) -> None:
    control.set_plan(database, "demo", "booking_start", schema=SCHEMA, mode=mode)
    told = "violations" if mode == "report" else "rejections"
    wait_until(lambda: bool(post(server, BAD)[told]), what="the plan")


def test_an_enforced_plan_refuses_over_http_and_grpc(server: Server, database: Engine) -> None:
    set_plan(server, database, "enforce")
    answer = post(server, GOOD, BAD)
    assert (answer["accepted"], answer["violations"]) == (1, [])
    [rejection] = answer["rejections"]
    assert (rejection["index"], rejection["code"], rejection["path"]) == (1, "plan_violation", "properties.price")
    assert "-1 is less than the minimum of 0" in rejection["message"]
    with server.rpc() as rpc:
        result = rpc.Ingest(in_protobuf(-1), metadata=METADATA)
    assert (result.accepted, [rejection.path for rejection in result.rejections]) == (0, ["properties.price"])
    assert server.metric("events_total", code="plan_violation") >= 2


def test_a_plan_that_reports_accepts_and_tells(server: Server, database: Engine) -> None:
    set_plan(server, database, "report")
    answer = post(server, GOOD, BAD)
    assert (answer["accepted"], answer["rejections"]) == (2, [])
    assert [(told["index"], told["path"]) for told in answer["violations"]] == [(1, "properties.price")]
    with server.rpc() as rpc:
        batch = ingest_pb2.IngestStreamRequest(sequence=7, batch=in_protobuf(-1))
        _, acknowledged = rpc.IngestStream(iter([batch]), metadata=METADATA)
    [told] = acknowledged.ack.result.violations
    assert (acknowledged.ack.result.accepted, told.code, told.path) == (1, "plan_violation", "properties.price")
    assert server.metric("plan_violations_total", project="demo") >= 2


def test_segment_clients_meet_the_same_plan(server: Server, database: Engine) -> None:
    set_plan(server, database, "enforce")
    before = server.metric("events_total", code="plan_violation")
    call = {"type": "track", "event": "Booking Start", "anonymousId": "a", "properties": {"price": -1}}
    assert server.http.post("/v1/batch", json={"batch": [call]}).json()["success"]
    assert server.metric("events_total", code="plan_violation") == before + 1


def test_a_plan_that_cannot_be_followed_is_told_and_stops_nothing(server: Server, database: Engine) -> None:
    set_plan(server, database, "enforce")
    with database.begin() as connection:  # as another version of reviva might have left it
        connection.exec_driver_sql(
            "INSERT INTO tracking_plans VALUES ('demo', 'old', 'enforce', 'properties', '{\"type\": 7}', 0)"
        )
        connection.exec_driver_sql("UPDATE control_versions SET version = version + 1")

    def warnings() -> dict[str, str]:
        return server.http.get("/health/ready").json()["warnings"]

    wait_until(lambda: "plans" in warnings())
    assert warnings()["plans"].startswith("the plan of project demo for old is not in force: ")
    assert post(server, EVENT | {"event_type": "old"}, BAD)["accepted"] == 1
    control.remove_plan(database, "demo", "old")
    wait_until(lambda: "plans" not in warnings())


def in_protobuf(price: float) -> ingest_pb2.IngestRequest:
    properties = {"price": event_pb2.Value(double_value=price)}
    event = event_pb2.Event(event_type="booking_start", anonymous_id="visitor-1", properties=properties)
    return ingest_pb2.IngestRequest(events=[event])
