"""Tokens: only what is signed for this server, by whom it believes, and in time, proves anything."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hubbub.accounts.jwks import STALE, IssuerKeys
from hubbub.accounts.revocations import TOKENS_LAST
from hubbub.accounts.tokens import LEEWAY, TOKEN_BYTES, Issuer, Tokens
from hubbub.errors import Unauthenticated
from hubbub.wire.identity import Role, User

SECRET, PREVIOUS, FOREIGN = b"s" * 32, b"p" * 32, b"f" * 32
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
PAIRS: dict[str, Any] = {
    **dict.fromkeys(("PS256", "PS384", "PS512"), RSA_KEY),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
"""Each is in the key set under its algorithm, which it names."""
KINDS: dict[type, Any] = {
    rsa.RSAPrivateKey: jwt.algorithms.RSAAlgorithm,
    ec.EllipticCurvePrivateKey: jwt.algorithms.ECAlgorithm,
    ed25519.Ed25519PrivateKey: jwt.algorithms.OKPAlgorithm,
}


def key_set(*keys: tuple[str, Any]) -> bytes:
    entries = []
    for kid, key in keys:
        to_jwk = next(one.to_jwk for kind, one in KINDS.items() if isinstance(key, kind))
        named = {"alg": kid} if kid in PAIRS else {}
        entries.append({**to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", **named})
    return json.dumps({"keys": entries}).encode()


class Shelf:
    place = "a shelf"

    def load(self) -> bytes:
        return key_set(("r", RSA_KEY), ("e", EC_KEY), *PAIRS.items())


def tokens(revoked: tuple[str, float] | None = None) -> Tokens:
    return Tokens(
        secrets=[SECRET, PREVIOUS],
        issuer=Issuer("https://id.example", "chat", IssuerKeys(Shelf(), clock=time.monotonic)),
        is_revoked=lambda key, issued: revoked is not None and key == revoked[0] and issued <= revoked[1],
    )


def claims(**other: Any) -> dict[str, Any]:
    now = int(time.time())
    usual = {"sub": "alice", "iss": "hubbub", "aud": "hubbub", "iat": now, "exp": now + 600}
    return {name: value for name, value in {**usual, **other}.items() if value is not None}


def theirs(**other: Any) -> dict[str, Any]:
    return claims(**{"iss": "https://id.example", "aud": "chat", **other})


def ours(**other: Any) -> str:
    return jwt.encode(claims(**other), SECRET)


def b64(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("secret", [SECRET, PREVIOUS])
async def test_our_own_token_names_user_role_and_end(secret: bytes) -> None:
    content = claims(name="Alice B", role="admin")

    who = await tokens().verify(jwt.encode(content, secret))

    assert who.user == User("alice", "Alice B", role=Role.ADMIN)
    assert (who.expires, who.session, who.scopes) == (content["exp"], None, None)


@pytest.mark.parametrize(
    ("key", "algorithm", "headers"),
    [
        *((RSA_KEY, algorithm, {"kid": "r"}) for algorithm in ("RS256", "RS384", "RS512")),
        (EC_KEY, "ES256", {"kid": "e"}),
        (EC_KEY, "ES256", None),
        *((PAIRS[algorithm], algorithm, {"kid": algorithm}) for algorithm in PAIRS),
    ],
)
async def test_another_issuer_s_token_is_believed_but_gives_no_role(
    key: Any, algorithm: str, headers: dict[str, Any] | None
) -> None:
    content = theirs(preferred_username="Alice", role="admin", aud=["other", "chat"])

    who = await tokens().verify(jwt.encode(content, key, algorithm, headers=headers))

    assert who.user == User("alice", "Alice", role=Role.MEMBER)


PEM = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def forged_with_the_public_key() -> str:
    """HS256 with the RSA key as the secret, which PyJWT itself refuses to sign."""
    signed = f"{b64({'alg': 'HS256', 'typ': 'JWT', 'kid': 'r'})}.{b64(theirs())}"
    mac = hmac.digest(PEM, signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


FORGED: dict[str, Callable[[], str]] = {
    "none": lambda: jwt.encode(claims(), "", "none"),
    "none of another issuer": lambda: jwt.encode(theirs(), "", "none"),
    "None in other letters": lambda: f"{b64({'alg': 'nOnE'})}.{b64(claims())}.",
    "without a signature": lambda: ours().rpartition(".")[0] + ".",
    "another secret": lambda: jwt.encode(claims(), FOREIGN),
    "another key": lambda: jwt.encode(theirs(), OTHER_KEY, "ES256", headers={"kid": "e"}),
    "the public key as the secret": forged_with_the_public_key,
    "HS512": lambda: jwt.encode(claims(), b"s" * 64, "HS512"),
    "a key of the other algorithm": lambda: jwt.encode(theirs(), RSA_KEY, "RS256", headers={"kid": "e"}),
    "another algorithm than the key names": lambda: jwt.encode(theirs(), RSA_KEY, "RS256", headers={"kid": "PS256"}),
    "a curve that is not believed": lambda: jwt.encode(
        theirs(), ec.generate_private_key(ec.SECP256K1()), "ES256K", headers={"kid": "e"}
    ),
    "an unknown key": lambda: jwt.encode(theirs(), EC_KEY, "ES256", headers={"kid": "x"}),
    "a key in the token": lambda: jwt.encode(
        theirs(),
        OTHER_KEY,
        "ES256",
        headers={"jwk": jwt.algorithms.ECAlgorithm.to_jwk(OTHER_KEY.public_key(), as_dict=True)},
    ),
    "crit": lambda: jwt.encode(claims(), SECRET, headers={"crit": ["exp2"], "exp2": 1}),
    "crit that PyJWT knows": lambda: jwt.encode(claims(), SECRET, headers={"crit": ["b64"], "b64": True}),
    "our claims with their key": lambda: jwt.encode(claims(), EC_KEY, "ES256", headers={"kid": "e"}),
    "their claims with our secret": lambda: jwt.encode(theirs(), SECRET),
    "another audience": lambda: ours(aud="billing"),
    "no audience": lambda: ours(aud=None),
    "another issuer": lambda: ours(iss="somebody"),
    "no issuer": lambda: ours(iss=None),
    "expired": lambda: ours(exp=int(time.time()) - 1),
    "without an end": lambda: ours(exp=None),
    "an endless end": lambda: ours(exp=1e400),
    "not yet": lambda: ours(nbf=int(time.time()) + LEEWAY + 60),
    "from the future": lambda: ours(iat=int(time.time()) + LEEWAY + 60),
    "without a beginning": lambda: ours(iat=None),
    "too old": lambda: ours(iat=int(time.time() - TOKENS_LAST - 1)),
    "nobody": lambda: ours(sub=None),
    "a name that is no key": lambda: ours(sub="Alice B"),
    "a number": lambda: f"{b64({'alg': 'HS256'})}.{b64(7)}.AAAA",
    "lists for words": lambda: f"{b64({'alg': ['HS256'], 'kid': ['e']})}.{b64(claims())}.AAAA",
    "deep": lambda: f"{base64.urlsafe_b64encode(b'[' * 4000).decode()}.e30.AAAA",
    "too long": lambda: ours(name="a" * TOKEN_BYTES),
    "words": lambda: "not a token",
    "empty": lambda: "",
    "points": lambda: "..",
}


@pytest.mark.parametrize("forged", FORGED)
async def test_a_forged_or_foreign_token_is_refused_and_not_repeated(forged: str) -> None:
    token = FORGED[forged]()

    with pytest.raises(Unauthenticated) as refused:
        await tokens().verify(token)

    assert len(token) < 10 or token not in refused.value.message


async def test_a_token_from_before_a_revocation_is_refused_and_a_later_one_is_good() -> None:
    now = int(time.time())
    believing = tokens(revoked=("alice", now - 10))

    with pytest.raises(Unauthenticated, match="revoked"):
        await believing.verify(ours(iat=now - 10))
    assert (await believing.verify(ours(iat=now - 9))).user.key == "alice"
    assert (await believing.verify(ours(sub="bob", iat=now - 60))).user.key == "bob"


@pytest.mark.parametrize("end", [400 * 24 * 3600, 10**12, 10**300])
async def test_who_is_here_by_a_token_stays_no_longer_than_it_is_taken(end: int) -> None:
    content = claims()

    who = await tokens().verify(ours(exp=content["iat"] + end))

    assert who.expires == pytest.approx(content["iat"] + TOKENS_LAST, abs=2)


async def test_without_a_secret_and_an_issuer_no_token_is_good() -> None:
    nobody = Tokens(secrets=[], issuer=None, is_revoked=lambda key, issued: False)

    with pytest.raises(Unauthenticated, match="takes no tokens"):
        await nobody.verify(ours())


class ChangingShelf:
    place = "a shelf"

    def __init__(self) -> None:
        self.keys = [("e", EC_KEY)]

    def load(self) -> bytes:
        return key_set(*self.keys)


@pytest.mark.parametrize("clock_of_end", ["exp", "the longest time"])
async def test_a_token_that_was_good_before_is_refused_when_it_has_expired(
    clock_of_end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    believer, now = tokens(), time.time()
    token = ours() if clock_of_end == "exp" else ours(exp=int(now + 2 * TOKENS_LAST))
    await believer.verify(token)
    monkeypatch.setattr(
        "hubbub.accounts.tokens.time.time", lambda: now + (700 if clock_of_end == "exp" else TOKENS_LAST)
    )
    with pytest.raises(Unauthenticated):
        await believer.verify(token)


async def test_a_token_that_was_good_before_is_refused_when_its_user_is_revoked() -> None:
    revoked: set[str] = set()
    believer = Tokens(secrets=[SECRET], issuer=None, is_revoked=lambda key, _: key in revoked)
    token = ours()
    assert await believer.verify(token) == await believer.verify(token)
    revoked.add("alice")
    with pytest.raises(Unauthenticated, match="revoked"):
        await believer.verify(token)


async def test_a_token_that_was_good_before_is_refused_when_its_key_is_withdrawn() -> None:
    now, shelf = 0.0, ChangingShelf()
    keys = IssuerKeys(shelf, clock=lambda: now)
    believer = Tokens(secrets=[], issuer=Issuer("https://id.example", "chat", keys), is_revoked=lambda key, _: False)
    token = jwt.encode(theirs(), EC_KEY, "ES256", headers={"kid": "e"})
    await believer.verify(token)
    for key in (OTHER_KEY, EC_KEY):
        shelf.keys, now = [("e", key)], now + STALE
        if key is EC_KEY:
            assert (await believer.verify(token)).user.key == "alice"
        else:
            with pytest.raises(Unauthenticated):
                await believer.verify(token)


async def test_what_is_kept_of_tokens_is_bounded_and_is_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubbub.accounts.tokens.PROVEN_KEPT", 3)
    believer, shown = tokens(), [ours(jti=str(number)) for number in range(10)]
    for token in shown:
        await believer.verify(token)
        with pytest.raises(Unauthenticated):
            await believer.verify(f"{token}x")
    assert len(believer._proven) == 3
    assert not [token for token in shown if token.rpartition(".")[2] in repr(believer._proven)]
