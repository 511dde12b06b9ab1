"""Sends mails by SMTP (RFC 5321), one at a time, in a thread, with a deadline. It knows no accounts."""

from __future__ import annotations

import contextlib
import logging
import smtplib
import ssl
import threading
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from hubbub.accounts.issuer_requests import hang_up
from hubbub.errors import ConfigurationError
from hubbub.origins import is_loopback

log = logging.getLogger("hubbub")

DEADLINE = 30.0
"""Seconds for the mail server to take a mail, in all."""
SAYS_AT_MOST = 64 * 1024
"""Bytes that the mail server may say. smtplib keeps all lines of an answer, however many come."""
_PORTS = {"smtp": 587, "smtps": 465}


class _Replies:
    """What a mail server says, up to `SAYS_AT_MOST`. Then it seems to hang up."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = SAYS_AT_MOST

    def readline(self, size: int) -> bytes:
        line = self._file.readline(size)
        self._left -= len(line)
        return line if self._left >= 0 else b""

    def close(self) -> None:
        self._file.close()


class _Plain(smtplib.SMTP):
    """Hangs up at the deadline. smtplib's `timeout` is for each read, so a server that sends a byte each second would
    never end."""

    def __init__(self, host: str, port: int, **options: Any) -> None:
        self.sock = None
        self._late = threading.Timer(DEADLINE, lambda: hang_up([self.sock]))
        self._late.daemon = True
        self._late.start()
        try:
            super().__init__(host, port, timeout=DEADLINE, **options)
        except BaseException:
            self._late.cancel()
            raise

    def close(self) -> None:
        self._late.cancel()
        super().close()

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _Replies(self.sock.makefile("rb"))
        return super().getreply()


class _Encrypted(_Plain, smtplib.SMTP_SSL):
    pass


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mails go. Without TLS on a network, others could read the links; so only this machine needs none."""

    host: str
    port: int
    is_tls: bool
    """From the first byte. Otherwise STARTTLS comes first."""
    user: str
    password: str = field(repr=False)
    sender: str = ""

    def send(self, mail: EmailMessage) -> None:
        """In a thread. Raises OSError; `smtplib.SMTPException` is one."""
        tls = ssl.create_default_context()
        link = _Encrypted(self.host, self.port, context=tls) if self.is_tls else _Plain(self.host, self.port)
        try:
            if not self.is_tls and not is_loopback(self.host):
                link.starttls(context=tls)
            if self.user:
                link.login(self.user, self.password)
            link.send_message(mail)
            with contextlib.suppress(OSError):  # the mail is sent
                link.quit()
        finally:
            link.close()

    def mail(self, to: str, subject: str, text: str) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self.sender, to, subject
        mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain=self.sender.rpartition("@")[2])
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text)
        return mail


def mail_server(url: str, sender: str) -> MailServer:
    """Raises `ConfigurationError`, which does not repeat the password."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
        host = parts.hostname or ""
    except (ValueError, KeyError):
        host, port = "", 0
    if not host or parts.path.strip("/") or parts.query:
        raise ConfigurationError("smtp_url: write smtps://user:password@mail.example.com, or smtp://…:587")
    if sender.count("@") != 1 or not sender.isprintable() or " " in sender:
        raise ConfigurationError(f"mail_from: {sender!r} is no address; write one such as chat@example.com")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return MailServer(host, port, parts.scheme == "smtps", user, password, sender)
