"""The guarded fetch against servers that misbehave for real, each in one way."""

from __future__ import annotations

import asyncio
import socket
import time

import httpx
import pytest
from neighbours import REDIRECT, Reply, babbling, bombing, dripping, endless, neighbour, silent, truncating

from autoscaler.errors import AnswerUnusable, SightError, SourceUnreachable
from autoscaler.sources.fetch import Answer, fetch, new_client, place


def get(url: str, *, deadline_seconds: float = 5.0, limit_bytes: int = 5_000_000, auth: httpx.Auth | None = None) -> Answer:
    """One fetch with a client of its own."""

    async def once() -> Answer:
        async with new_client(auth=auth) as client:
            return await fetch(client, url, deadline_seconds=deadline_seconds, limit_bytes=limit_bytes)

    return asyncio.run(once())


def refusal(url: str, **how: float) -> SightError:
    """The error of a fetch that must fail."""
    with pytest.raises(SightError) as caught:
        get(url, **how)
    return caught.value


class TestWholeAnswers:
    def test_any_status_is_handed_on(self) -> None:
        """What a status means is left to the source that asked."""
        page = Reply(503, "Text/Plain; charset=UTF-8", b"broker", {"Retry-After": "7"})
        with neighbour(page) as there:
            assert get(there.url + "/x") == Answer(503, "text/plain", b"broker", 7.0)

    def test_no_compression_is_asked_for(self) -> None:
        """The request says that only plain bytes are wanted."""
        with neighbour(Reply()) as there:
            get(there.url)

            assert "accept-encoding: identity" in there.heads[0].lower()

    def test_one_connection_is_kept(self) -> None:
        """Two fetches of one client come over one connection, as a kept client promises."""
        with neighbour(Reply()) as there:

            async def twice() -> int:
                async with new_client() as client:
                    for _ in range(2):
                        await fetch(client, there.url, deadline_seconds=5)
                    return len(client._transport._pool.connections)  # type: ignore[attr-defined]

            assert asyncio.run(twice()) == 1

    def test_proxies_of_the_environment_are_ignored(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A proxy in the environment does not come between two neighbours."""
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        with neighbour(Reply(body=b"direct")) as there:
            assert get(there.url).body == b"direct"

    @pytest.mark.parametrize("header", ["Wed, 21 Oct 2026 07:28:00 GMT", "-1", "1e9", "²", "99999999999", ""])
    def test_odd_pauses_are_ignored(self, header: str) -> None:
        """Only a plain number of seconds is a pause: a date would be of a clock that is not ours."""
        with neighbour(Reply(429, headers={"Retry-After": header.encode().decode("latin-1")})) as there:
            assert get(there.url).retry_after_seconds is None


class TestGuards:
    @pytest.mark.parametrize("page", [silent, dripping], ids=lambda page: page.__name__)
    def test_deadline_is_over_all(self, page: object) -> None:
        """One deadline holds from connecting to the last byte, however often a byte arrives."""
        with neighbour(page) as there:
            began = time.monotonic()
            error = refusal(there.url, deadline_seconds=0.4)

            assert isinstance(error, SourceUnreachable)
            assert "did not answer in full within 0.4 s" in str(error)
            assert time.monotonic() - began < 1.5

    def test_endless_body_is_cut_off(self) -> None:
        """Reading stops at the cap, long before the deadline."""
        with neighbour(endless) as there:
            error = refusal(there.url, limit_bytes=200_000)

            assert isinstance(error, AnswerUnusable)
            assert "more than 200,000 bytes" in str(error)

    def test_answer_of_just_the_cap_is_whole(self) -> None:
        """The cap itself is still allowed."""
        with neighbour(Reply(body=b"x" * 1000)) as there:
            assert len(get(there.url, limit_bytes=1000).body) == 1000
            assert isinstance(refusal(there.url, limit_bytes=999), AnswerUnusable)

    def test_compressed_answer_is_refused(self) -> None:
        """A bomb is not unpacked: nothing that comes compressed is."""
        with neighbour(bombing) as there:
            assert "compressed" in str(refusal(there.url))

    def test_redirect_names_only_the_host(self) -> None:
        """A redirect is not followed, and the secrets in its address are not repeated."""
        with neighbour(REDIRECT) as there:
            text = str(refusal(there.url))

            assert "login.example" in text
            assert "topsecret" not in text
            assert len(there.requests) == 1

    @pytest.mark.parametrize("page", [truncating, babbling], ids=lambda page: page.__name__)
    def test_broken_answers_are_unusable(self, page: object) -> None:
        """Half an answer, or another protocol, is no answer."""
        with neighbour(page) as there:
            assert isinstance(refusal(there.url), AnswerUnusable)


class TestUnreachable:
    def test_refused_connection_says_so(self) -> None:
        """A closed port is named with its reason."""
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{deaf.getsockname()[1]}"

            assert str(refusal(url + "/api")) == f"cannot reach {url}: connection refused; is it running and listening there?"

    def test_unknown_name_says_so(self) -> None:
        """A name that does not resolve is told apart from a closed port."""
        assert "does not resolve" in str(refusal("http://flower.invalid:5555/"))

    def test_plain_http_behind_https_says_so(self) -> None:
        """Speaking TLS to a server that does not is explained."""

        async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        async def ask() -> None:
            async with await asyncio.start_server(plain, "127.0.0.1", 0) as server, new_client() as client:
                await fetch(client, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", deadline_seconds=5)

        with pytest.raises(SourceUnreachable, match="does not speak TLS as expected: is https right here"):
            asyncio.run(ask())

    @pytest.mark.parametrize("url", ["flower:5555", "", "ftp://flower/", "http://", "http://[::1", "http://a:99999/"])
    def test_bad_addresses_are_explained(self, url: str) -> None:
        """An address that cannot be asked is a SightError, never a library's exception."""
        assert isinstance(refusal(url), SourceUnreachable)


class TestSecrets:
    @pytest.mark.parametrize("page", [REDIRECT, truncating, silent, bombing], ids=["redirect", "truncated", "silent", "compressed"])
    def test_credentials_of_the_address_stay_out(self, page: object) -> None:
        """No error text carries the password that stands in an address."""
        with neighbour(page) as there:
            url = there.url.replace("//", "//admin:hunter2@") + "/x?key=hunter2"

            assert "hunter2" not in str(refusal(url, deadline_seconds=0.3))
            assert "authorization: basic" in there.heads[0].lower()

    def test_unreadable_address_is_not_repeated(self) -> None:
        """Where an address cannot be taken apart, none of it is shown."""
        assert place("http://admin:hunter2@[::1") == "the address"
