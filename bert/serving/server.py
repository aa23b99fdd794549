"""The socket, the signals, and an end that loses nothing."""

import asyncio
import logging
import socket
from collections.abc import Mapping
from types import FrameType
from typing import Any

import uvicorn

from bert.errors import InputError
from bert.options.serving import LimitOptions
from bert.prediction import Predictor
from bert.serving.application import Application

logger = logging.getLogger(__name__)

# Between two requests on a connection; longer than the minute of many proxies, so that they end it, and not we while
# they send.
KEEP_ALIVE_SECONDS = 75
LAST_REQUESTS_SECONDS = 0.5  # in which requests that were on their way when the end was asked for are still taken on
LAST_BYTES_SECONDS = 5  # in which clients have to read their answers
_POLL_SECONDS = 0.02


class _Server(uvicorn.Server):
    """Asked to end, it takes no new connections, answers all that it has been asked, and ends well."""

    def __init__(self, application: Application) -> None:
        config = uvicorn.Config(
            application.asgi,
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=LAST_BYTES_SECONDS,
        )
        super().__init__(config)
        self._application = application

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for bound in sockets or []:
            logger.info("Listening at %s", url(bound))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A second signal does not wait for answers."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logger.info("Asked to end: no new connections, what has been asked is answered.")
        for server in self.servers:
            server.close()
        self._application.is_stopping = True
        await asyncio.sleep(LAST_REQUESTS_SECONDS)
        while self.server_state.tasks and not self.force_exit:
            await asyncio.sleep(_POLL_SECONDS)
        await super().shutdown(sockets)


def bind(host: str, port: int) -> socket.socket:
    """A socket for this address, not listening yet. Raises InputError where it cannot be had."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no name of a host"
        raise InputError(f"`host`, `port`: cannot listen at {host}:{port}: {why}") from None
    return bound


def url(bound: socket.socket) -> str:
    """Where a browser finds it."""
    host, port = bound.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def serve(predictors: Mapping[str, Predictor[Any, Any]], bound: socket.socket, limits: LimitOptions) -> None:
    """Answers for these models, by name, until SIGTERM or SIGINT; returns when all that was asked is answered."""
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # what clients do wrong is no matter of the log
    application = Application(predictors, limits)
    for name, predictor in predictors.items():
        logger.info("Model '%s': %s, for %s.", name, predictor.stored.weights, predictor.kind)
    server = _Server(application)
    server.run(sockets=[bound])
    if not server.force_exit:
        application.close()
    logger.info("Ended: %d requests answered, %d refused.", application.answered, application.refused)
