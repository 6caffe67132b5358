"""A target's TLS: whom it is to be signed by, and as whom we come."""

import ssl

from lytrace_collector.errors import CannotStart
from lytrace_collector.forward.targets import Target


def tls_context(target: Target) -> ssl.SSLContext:
    """For HTTP; servers are always verified.

    Raises:
        CannotStart: a file is none of a certificate or key.
    """
    try:
        context = ssl.create_default_context(cafile=str(target.ca_file) if target.ca_file else None)
    except (ssl.SSLError, OSError) as error:
        raise CannotStart(f"forward.{target.name}.ca_file: {target.ca_file} holds no certificates: {error}") from None
    if target.cert_file and target.key_file:
        try:
            context.load_cert_chain(target.cert_file, target.key_file)
        except (ssl.SSLError, OSError) as error:
            where = f"forward.{target.name}.cert_file"
            raise CannotStart(
                f"{where}: {target.cert_file} and {target.key_file} are no certificate and its key: {error}"
            ) from None
    return context
