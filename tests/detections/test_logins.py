"""Who signs in, and who only tries: by the forms that AWS documents for each kind of identity."""

from typing import Any

import pytest

from driftline.collectors.aws.events.names import NoNames
from driftline.collectors.aws.events.record import ChangeReader
from driftline.collectors.redact import Redactor
from driftline.pipeline.detections.engine import DetectionEngine
from driftline.pipeline.detections.observed import of_change
from driftline.pipeline.model import Alert, Change
from driftline.pipeline.offline.content import watch
from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.people.identity import MappedPerson, People
from driftline.pipeline.records.topics import CHANGES
from driftline.pipeline.settings.blocks import Settings
from tests.core.world import minute, rulebook

ACCOUNT = "111122223333"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
STORE = f"arn:aws:identitystore::{ACCOUNT}:identitystore/d-1234567890"
SSO = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef"
FAILED, DONE = {"ConsoleLogin": "Failure"}, {"ConsoleLogin": "Success"}
USER = {
    "type": "IAMUser",
    "principalId": "AIDACKCEVSQ6C2EXAMPLE",
    "accountId": ACCOUNT,
    "userName": "alice",
}
ROOT = {
    "type": "Root",
    "principalId": ACCOUNT,
    "arn": f"arn:aws:iam::{ACCOUNT}:root",
    "accountId": ACCOUNT,
}
SESSION = {
    "type": "AssumedRole", "principalId": "AROAEXAMPLE:ann@example.com", "accountId": ACCOUNT,
    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/ann@example.com",
    "sessionContext": {"sessionIssuer": {"type": "Role", "arn": SSO, "userName": "AWSReservedSSO_Admin_0123456789abcdef", "accountId": ACCOUNT}},
}  # fmt: skip
FEDERATED = {
    "type": "AssumedRole", "principalId": "AROAEXAMPLE:bob", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/saml/bob", "accountId": ACCOUNT,
    "sessionContext": {"sessionIssuer": {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/saml", "userName": "saml", "accountId": ACCOUNT}},
}  # fmt: skip
CENTER = {"type": "IdentityCenterUser", "accountId": ACCOUNT, "onBehalfOf": {"userId": "544894e8", "identityStoreArn": STORE}, "credentialId": "1"}  # fmt: skip
CENTER_ID = f"{STORE}/user/544894e8"
OLD = {"type": "Unknown", "principalId": ACCOUNT, "arn": "", "accountId": ACCOUNT, "accessKeyId": "", "userName": "exampleuser"}  # fmt: skip
BETWEEN = OLD | {key: CENTER[key] for key in ("onBehalfOf", "credentialId")}
NAMELESS = {key: value for key, value in OLD.items() if key != "userName"}
HIDDEN = {"type": "IAMUser", "accountId": ACCOUNT, "accessKeyId": "", "userName": "HIDDEN_DUE_TO_SECURITY_REASONS"}  # fmt: skip


def login(who: dict[str, Any], at: float = 0, result: Any = DONE, **more: Any) -> Change:
    record = {
        "eventVersion": "1.08", "userIdentity": who, "eventTime": minute(at).isoformat(), "eventSource": "signin.amazonaws.com",
        "eventName": "ConsoleLogin", "awsRegion": "us-east-1", "sourceIPAddress": "192.0.2.100", "userAgent": "Mozilla/5.0",
        "requestParameters": None, "responseElements": result, "additionalEventData": {"LoginTo": "https://console.aws.amazon.com/", "MFAUsed": "No"},
        "eventID": f"login-{at}", "readOnly": False, "eventType": "AwsConsoleSignIn", "recipientAccountId": ACCOUNT, **more,
    }  # fmt: skip
    if result == FAILED:
        record["errorMessage"] = "Failed authentication"
    (change,) = ChangeReader(Redactor(b"k" * 32), "eventbridge", NoNames()).changes(record)
    return change


def step(result: str, name: str = "CredentialVerification", **more: str) -> dict[str, Any]:
    """A step of a sign-in at Identity Center."""
    data = {"AuthWorkflowID": "9de74b32", "CredentialType": "PASSWORD", **more}
    return {"result": None, "eventName": name, "eventType": "AwsServiceEvent", "serviceEventDetails": {name: result}, "additionalEventData": data}  # fmt: skip


@pytest.mark.parametrize(
    ("who", "more", "id", "kind", "name"),
    [
        (USER | {"arn": ALICE}, {}, ALICE, "user", f"{ACCOUNT} alice"),
        (USER | {"arn": f"arn:aws:iam::{ACCOUNT}:user/ops/alice"}, {}, f"arn:aws:iam::{ACCOUNT}:user/ops/alice", "user", f"{ACCOUNT} alice"),
        (USER | {"accessKeyId": ""}, {"result": FAILED}, ALICE, "unknown", f"{ACCOUNT} alice"),
        (USER | {"arn": ALICE}, {"result": FAILED}, ALICE, "unknown", f"{ACCOUNT} alice"),
        (USER, {"awsRegion": "cn-north-1", "result": FAILED}, f"arn:aws-cn:iam::{ACCOUNT}:user/alice", "unknown", f"{ACCOUNT} alice"),
        (HIDDEN, {"result": FAILED}, ACCOUNT, "unknown", None),
        (HIDDEN | {"principalId": "AIDACKCEVSQ6C2EXAMPLE"}, {"result": FAILED}, ACCOUNT, "unknown", None),
        (HIDDEN | {"principalId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:user/{HIDDEN['userName']}"}, {"result": FAILED}, ACCOUNT, "unknown", None),
        (OLD | {"userName": HIDDEN["userName"]}, step("Failure"), ACCOUNT, "unknown", None),
        (NAMELESS, step("Failure", UserName=HIDDEN["userName"]), ACCOUNT, "unknown", None),
        (ROOT, {}, ROOT["arn"], "root", f"{ACCOUNT} root user"),
        (ROOT, {"result": FAILED}, ROOT["arn"], "unknown", f"{ACCOUNT} root user"),
        (SESSION, {}, "ann@example.com", "directory_user", "ann@example.com"),
        (FEDERATED, {}, FEDERATED["arn"], "unknown", FEDERATED["arn"]),
        (CENTER, step("Success"), CENTER_ID, "directory_user", CENTER_ID),
        (CENTER, step("Failure"), CENTER_ID, "unknown", CENTER_ID),
        (CENTER, step("Success", "UserAuthentication", UserName="exampleuser"), CENTER_ID, "directory_user", CENTER_ID),
        (CENTER, step("Success", "CredentialChallenge"), CENTER_ID, "unknown", CENTER_ID),  # only asked for
        (OLD, step("Success"), "exampleuser", "directory_user", "exampleuser"),
        (OLD, step("Success", "UserAuthentication"), "exampleuser", "directory_user", "exampleuser"),
        (OLD, step("Success", "CredentialChallenge"), "exampleuser", "unknown", "exampleuser"),
        (OLD, step("Failure"), "exampleuser", "unknown", "exampleuser"),
        (BETWEEN, step("Success"), CENTER_ID, "directory_user", CENTER_ID),
        (BETWEEN, step("Failure"), CENTER_ID, "unknown", CENTER_ID),
        (NAMELESS, step("Success"), ACCOUNT, "unknown", None),
        (NAMELESS, step("Success", UserName="exampleuser"), "exampleuser", "directory_user", "exampleuser"),
    ],
)  # fmt: skip
def test_a_login_has_one_form_and_a_failed_one_names_nobody(
    who: dict[str, Any], more: dict[str, Any], id: str, kind: str, name: str | None
) -> None:
    found = login(who, **more)
    people = People([MappedPerson("ann", [ALICE, CENTER_ID, "exampleuser"])])
    assert found.actor.person
    assert (found.actor.person.id, found.actor.person.kind) == (id, kind)
    own = of_change(found, {}, people).fields["driftline"]
    assert own.get("login") == name
    assert (found.outcome == "failure") is ("Failure" in str(more))
    if found.outcome == "failure":
        assert own["actor"]["person"]["kind"] == "unknown", "the map makes nobody of a claim"


@pytest.fixture(scope="module")
def content() -> DetectionEngine:
    return watch(Settings())


def told(content: DetectionEngine, *changes: Change) -> dict[str, Alert]:
    world = Fold(rulebook(), watch=content, lateness=600_000_000)
    for one in changes:
        world.feed(CHANGES.name, one.encode())
    assert not world.dead
    return {one.title: one for one in map(Alert.model_validate, world.told_alerts())}


def test_guesses_of_which_one_is_right_are_of_one_user(content: DetectionEngine) -> None:
    guesses = [login(USER | {"accessKeyId": ""}, at, FAILED) for at in range(5)]
    found = told(content, *guesses, login(USER | {"arn": ALICE}, 6))
    one = found["Repeated sign-in failures, then a sign-in without MFA"]
    assert one.severity == "high"
    assert found["Repeated console sign-in failures from one address"].actors == [ALICE]
    assert (
        "(person unknown)" in found["Repeated console sign-in failures from one address"].sentence
    )


@pytest.mark.parametrize(
    ("who", "more"),
    [
        (HIDDEN, {}),
        (HIDDEN | {"principalId": "AIDACKCEVSQ6C2EXAMPLE"}, {}),
        (NAMELESS, step("Failure")),
        (OLD | {"userName": HIDDEN["userName"]}, step("Failure")),
    ],
)
def test_guesses_of_hidden_names_are_of_one_address_and_of_nobody(
    content: DetectionEngine, who: dict[str, Any], more: dict[str, Any]
) -> None:
    """Which names were tried is not told: they are no one user, however many addresses try."""
    here = [login(who, at, **({"result": FAILED} | more)) for at in range(5)]
    found = told(content, *here)
    assert list(found) == ["Repeated console sign-in failures from one address"]
    (one,) = found.values()
    assert (one.group, one.actors) == ({"sourceIPAddress": "192.0.2.100"}, [])
    assert not {ACCOUNT, "AIDACKCEVSQ6C2EXAMPLE"} & {step.get("who") for step in one.story}
    assert " by " not in one.sentence
    spread = [login(who, at, sourceIPAddress=f"192.0.2.{at}", **({"result": FAILED} | more)) for at in range(5)]  # fmt: skip
    assert told(content, *spread) == {}


@pytest.mark.parametrize("who", [CENTER, BETWEEN, OLD])
def test_guesses_at_identity_center_are_of_one_user(
    content: DetectionEngine, who: dict[str, Any]
) -> None:
    guesses = [login(who, at, sourceIPAddress=f"192.0.2.{at}", **step("Failure")) for at in range(3)]  # fmt: skip
    found = told(content, *guesses)["Sign-in failures of one user from several addresses"]
    assert found.group == {"driftline.login": "exampleuser" if who is OLD else CENTER_ID}


def test_guesses_from_many_addresses_are_of_one_user(content: DetectionEngine) -> None:
    path = {"arn": f"arn:aws:iam::{ACCOUNT}:user/ops/alice"}
    guesses = [login(USER | {"accessKeyId": ""}, at, FAILED, sourceIPAddress=f"192.0.2.{at}") for at in range(3)]  # fmt: skip
    found = told(content, *guesses, login(USER | path, 6, sourceIPAddress="192.0.2.77"))
    one = found["Sign-in failures from several addresses, then a sign-in without MFA"]
    assert one.group == {"driftline.login": f"{ACCOUNT} alice"}


@pytest.mark.parametrize(
    ("who", "wanted"),
    [
        (SESSION, f"by ann@example.com (as {SSO[:20]}"),
        (FEDERATED, f"by {FEDERATED['arn']} (person unknown), from 192.0.2.100, with console"),
        (ROOT, f"by {ROOT['arn']}, from 192.0.2.100, with console"),
    ],
)  # fmt: skip
def test_a_sentence_names_the_person_or_the_session(
    content: DetectionEngine, who: dict[str, Any], wanted: str
) -> None:
    """And how a person is known; never the role in place of either."""
    made = login(who, 1, None, eventSource="iam.amazonaws.com", eventName="CreateAccessKey", requestParameters={"userName": "eve"})  # fmt: skip
    found = told(content, made)["Access key created for another user"]
    assert wanted in found.sentence
    assert ("user of Identity Center)" in found.sentence) is (who is SESSION)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_a_user_that_no_sweep_has_seen_is_made_an_administrator(
    content: DetectionEngine, order: tuple[int, ...]
) -> None:
    """Made, given a key and rights within one second, as tools do it: of the name alone its ARN is not known."""
    calls = [("CreateUser", {}), ("CreateAccessKey", {}), ("AttachUserPolicy", {"policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"})]  # fmt: skip
    steps = [
        login(USER | {"arn": ALICE}, 1, None, eventSource="iam.amazonaws.com", eventName=name, eventID=name, requestParameters={"userName": "eve", **more})
        for name, more in calls
    ]  # fmt: skip
    found = told(content, *(steps[number] for number in order))
    (one,) = [one for one in found.values() if one.severity == "critical"]
    assert one.group["driftline.login"] == f"{ACCOUNT} eve"
