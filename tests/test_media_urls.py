"""Photos and documents: only public https addresses, for Telegram to fetch."""

from __future__ import annotations

import pytest

from chalicelib.contract.message import InvalidMessage, Message


@pytest.mark.parametrize("field", ["photo", "document"])
@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/a.png",
        "//example.com/a.png",
        "http://example.com/a.png",
        "ftp://example.com/a.png",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "https://",
        "https:///a.png",
        "https://user@example.com/",
        "https://user:password@example.com/",
        "https://@example.com/",
        "https://localhost/",
        "https://a.localhost/",
        "https://router/",
        "https://printer.local/",
        "https://a.internal/",
        "https://example.com./../" + "a" * 2048,
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.0.0.1./",
        "https://0.0.0.0/",
        "https://10.0.0.1/",
        "https://172.16.0.1/",
        "https://192.168.0.1/",
        "https://100.64.0.1/",
        "https://169.254.169.254/latest/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://[fe80::1]/",
        "https://[fd00::1]/",
        "https://[::1/",
        "https://example.com:99999/",
        "https://example.com:a/",
        "https://exa mple.com/",
        "https://example.com/a b",
        "https://example.com/a\nb",
        "https://example.com\\@127.0.0.1/",
        "https://example.com/\u202e",
        "https://127.0.0.\uff11/",
        "https://127.0.0\u30021/",
        "https://127.0.0.%31/",
        "https://127.0.0.1%00.example.org/",
        "https://a.\uff4cocalhost/",
        "https://metadata.google.intern%61l/",
        "https://x.local%2e/",
        "https://localhost.localdomain/",
        "https://224.0.0.1/",
        "https://[ff02::1]/",
        "https://[fec0::1]/",
        "https://[::127.0.0.1]/",
        "https://[::ffff:0:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[2001:0:7f00:1::]/",
        "https://.example.com/",
        "https://example..com/",
    ],
)
def test_only_public_https_addresses_are_taken_for_media(field: str, url: str) -> None:
    with pytest.raises(InvalidMessage) as caught:
        Message.from_fields({field: url}, now=0)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "host",
    [
        *("localtest.me", "example.local.com", "10.example.com", "1.1.1.1.example"),
        *("münchen.example", "a_b.example", "1.1.1.1", "[2606:4700::1111]"),
    ],
)
def test_a_public_host_is_taken_also_where_it_looks_like_a_private_one(host: str) -> None:
    assert Message.from_fields({"photo": f"https://{host}/"}, now=0).photo == f"https://{host}/"
