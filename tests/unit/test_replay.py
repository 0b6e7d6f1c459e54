"""Dead letters are sent again as they came."""

import pytest

from reviva._pb.v1.event_pb2 import Event
from reviva._pb.v1.ingest_pb2 import IngestRequest, IngestResponse, Rejection
from reviva.cli.replay import Letter, ReplayError, _outcome


@pytest.mark.parametrize("size", [0, 1, 200, 100_000])
def test_a_protobuf_event_is_wrapped_as_a_batch_of_one(size: int):
    event = Event(event_type="page_view", anonymous_id="a" * size)
    path, content_type, body = Letter("id", "demo", "proto", event.SerializeToString()).request()
    assert (path, content_type) == ("/v1/events?history=1", "application/x-protobuf")
    assert IngestRequest.FromString(body) == IngestRequest(events=[event])


@pytest.mark.parametrize(
    ("form", "path", "body"),
    [
        ("json", "/v1/events?history=1", b'{"events":[{"a":1}]}'),
        ("segment", "/v1/batch?history=1", b'{"batch":[{"a":1}]}'),
    ],
)
def test_a_json_event_is_wrapped_as_a_batch_of_one(form: str, path: str, body: bytes):
    assert Letter("id", "demo", form, b'{"a":1}').request() == (path, "application/json", body)


def test_a_single_call_of_segment_goes_to_the_path_that_says_what_it_is():
    letter = Letter("id", "demo", "segment/track", b'{"event":"x"}')
    assert letter.request() == ("/v1/track?history=1", "application/json", b'{"event":"x"}')


PROTO = IngestResponse(rejections=[Rejection(code="missing_identity")]).SerializeToString()


@pytest.mark.parametrize(
    ("form", "status", "answer", "accepted", "code"),
    [
        ("json", 200, b'{"accepted":1}', True, ""),
        ("json", 200, b'{"accepted":0,"rejections":[{"code":"missing_identity"}]}', False, "missing_identity"),
        ("proto", 200, IngestResponse(accepted=1).SerializeToString(), True, ""),
        ("proto", 200, PROTO, False, "missing_identity"),
        ("segment", 200, b'{"success":true}', True, ""),
        ("segment/track", 200, b'{"success":true}', True, ""),
        ("json", 400, b'{"error":{"code":"malformed","message":"x"}}', False, "malformed"),
    ],
)
def test_the_answer_tells_what_became_of_it(form: str, status: int, answer: bytes, accepted: bool, code: str):
    outcome = _outcome(Letter("id", "demo", form, b""), status, answer)
    assert (outcome.is_accepted, outcome.code) == (accepted, code)


@pytest.mark.parametrize("status", [401, 429, 503])
def test_what_may_pass_is_not_an_outcome(status: int):
    with pytest.raises(ReplayError, match=str(status)):
        _outcome(Letter("id", "demo", "json", b""), status, b"why")
