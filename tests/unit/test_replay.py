"""Dead letters are sent again as they came."""

import pytest

from reviva._pb.v1.event_pb2 import Event
from reviva._pb.v1.ingest_pb2 import IngestRequest, IngestResponse, Rejection
from reviva.cli.replay import Letter, ReplayError, _outcome


@pytest.mark.parametrize("size", [0, 1, 200, 100_000])
def test_a_protobuf_event_is_wrapped_as_a_batch_of_one(size: int):
    event = Event(event_type="page_view", anonymous_id="a" * size)
    path, content_type, body = Letter("id", "demo", "proto", event.SerializeToString()).request()
    assert (path, content_type) == ("/v1/events", "application/x-protobuf")
    assert IngestRequest.FromString(body) == IngestRequest(events=[event])


@pytest.mark.parametrize(
    ("form", "path", "body"),
    [
        ("json", "/v1/events", b'{"events":[{"a":1}]}'),
        ("segment", "/v1/batch", b'{"batch":[{"a":1}]}'),
    ],
)
def test_a_json_event_is_wrapped_as_a_batch_of_one(form: str, path: str, body: bytes):
    assert Letter("id", "demo", form, b'{"a":1}').request() == (path, "application/json", body)


def test_a_single_call_of_segment_goes_to_the_path_that_says_what_it_is():
    letter = Letter("id", "demo", "segment/track", b'{"event":"x"}')
    assert letter.request() == ("/v1/track", "application/json", b'{"event":"x"}')


PROTO = IngestResponse(rejections=[Rejection(code="missing_identity", message="why")]).SerializeToString()
TAKEN = b'"accepted":1,"rejections":[],"violations":[]}'
REFUSED = b'"accepted":0,"rejections":[{"index":0,"code":"missing_identity","message":"why"}],"violations":[]}'


@pytest.mark.parametrize(
    ("form", "status", "answer", "code"),
    [
        ("json", 200, b"{" + TAKEN, ""),
        ("json", 200, b"{" + REFUSED, "missing_identity"),
        ("proto", 200, IngestResponse(accepted=1).SerializeToString(), ""),
        ("proto", 200, PROTO, "missing_identity"),
        ("segment", 200, b'{"success":true,' + TAKEN, ""),
        ("segment", 200, b'{"success":true,' + REFUSED, "missing_identity"),
        ("segment/track", 200, b'{"success":true,' + REFUSED, "missing_identity"),
        ("json", 400, b'{"error":{"code":"invalid_json","message":"why"}}', "invalid_json"),
    ],
)
def test_the_answer_tells_what_became_of_it(form: str, status: int, answer: bytes, code: str):
    outcome = _outcome(Letter("id", "demo", form, b""), status, answer)
    assert (outcome.is_accepted, outcome.code, outcome.message) == (not code, code, "why" if code else "")


@pytest.mark.parametrize("status", [401, 429, 503])
def test_what_may_pass_is_not_an_outcome(status: int):
    with pytest.raises(ReplayError, match=str(status)):
        _outcome(Letter("id", "demo", "json", b""), status, b"why")
