"""The slim service models say of every call what botocore's own say."""

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from driftline.collectors.aws.api.botocore_loader import SlimLoader, called
from driftline.collectors.aws.shapes import shape_of

SLIM = SlimLoader()


@pytest.mark.parametrize("service", sorted(called()))
def test_a_call_has_the_same_shapes(service: str) -> None:
    whole = ServiceModel(Loader().load_service_model(service, "service-2"), service)
    ours = ServiceModel(SLIM.load_service_model(service, "service-2"), service)
    assert set(ours.operation_names) == called()[service]
    assert ours.metadata == whole.metadata
    assert len(ours.shape_names) <= len(whole.shape_names)
    for name in ours.operation_names:
        one, other = ours.operation_model(name), whole.operation_model(name)
        for side in ("input_shape", "output_shape"):
            a, b = getattr(one, side), getattr(other, side)
            assert (a and shape_of(a)) == (b and shape_of(b))
            assert (a and a.required_members) == (b and b.required_members)
        assert [e.name for e in one.error_shapes] == [e.name for e in other.error_shapes]
        assert one.http == other.http


def test_another_service_is_whole() -> None:
    assert len(SLIM.load_service_model("polly", "service-2")["operations"]) > 5
