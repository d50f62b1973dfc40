"""Send a notification by e-mail, through the SMTP server that the operator set.

TRINCH_SMTP is `smtp://host:587` (with STARTTLS where the server offers it) or `smtps://host:465`; a user name and password
in it are sent over TLS only. TRINCH_MAIL_FROM is the sender.
"""

import os
import smtplib
import ssl
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import formatdate
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from trinch.alerts.channels import Result
from trinch.errors import TrinchError

SERVER, SENDER = "TRINCH_SMTP", "TRINCH_MAIL_FROM"
SECONDS = 20.0


class MailSettingError(TrinchError, ValueError):
    """The settings of the mail server cannot be used."""


class MailServer(NamedTuple):
    """The SMTP server to send through."""

    host: str
    port: int
    tls: bool
    """TLS from the first byte; otherwise STARTTLS where it is offered."""
    user: str
    password: str
    sender: str


def mail_server() -> MailServer | None:
    """The server that the environment names; None where it names none. Raises MailSettingError."""
    address, sender = os.environ.get(SERVER, ""), os.environ.get(SENDER, "")
    if not address:
        return None
    parts = urlsplit(address)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or "@" not in sender:
        raise MailSettingError(
            f"{SERVER} must be smtp://host:587 or smtps://host:465, and {SENDER} an address"
        )
    tls = parts.scheme == "smtps"
    return MailServer(
        parts.hostname, parts.port or (465 if tls else 587), tls, unquote(parts.username or ""),
        unquote(parts.password or ""), sender,
    )  # fmt: skip


def message(server: MailServer, to: str, id: str, subject: str, text: str) -> EmailMessage:
    """An e-mail. Its Message-ID is the idempotency key, so a repeated one is recognised."""
    mail = EmailMessage()
    mail["From"], mail["To"] = server.sender, to
    mail["Subject"] = " ".join(subject.split())[:150]
    mail["Date"] = formatdate()
    mail["Message-ID"] = f"<{id}@{server.sender.rpartition('@')[2].rstrip('>')}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text)
    return mail


def _connect(server: MailServer, secure: ssl.SSLContext) -> smtplib.SMTP:
    if server.tls:
        return smtplib.SMTP_SSL(server.host, server.port, timeout=SECONDS, context=secure)
    return smtplib.SMTP(server.host, server.port, timeout=SECONDS)


def send(server: MailServer | None, to: str, id: str, subject: str, text: str) -> Result:
    """Make one attempt, at most SECONDS for each step. Never raises for what the server does."""
    if server is None:
        return Result(False, f"no mail server is set: {SERVER} and {SENDER}")
    try:
        mail = message(server, to, id, subject, text)
        secure = ssl.create_default_context()
        with _connect(server, secure) as smtp:
            smtp.ehlo()
            if not server.tls and smtp.has_extn("starttls"):
                smtp.starttls(context=secure)
                smtp.ehlo()
            elif not server.tls and server.user:
                return Result(False, f"{server.host} offers no TLS: user name and password are not sent")
            if server.user:
                smtp.login(server.user, server.password)
            smtp.send_message(mail)
    except (OSError, smtplib.SMTPException, MessageError, ValueError) as error:
        return Result(False, f"{server.host}: {error}"[:300])
    return Result(True, "accepted by the mail server")
