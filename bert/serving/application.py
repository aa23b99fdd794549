"""Models behind HTTP: paths, methods, limits, and errors as one sentence of JSON."""

import asyncio
import dataclasses
import http
import logging
import re
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from bert.errors import InputError, shown
from bert.options.serving import LimitOptions
from bert.prediction import Prediction, Predictor
from bert.serving import contract, page
from bert.serving.worker import Full, Worker

logger = logging.getLogger(__name__)

_MODEL_PATH = re.compile(r"/v1/models/([^/:]+)(?:/versions/([^/:]+))?(:predict|/metadata|)")
# Bytes behind the limit of a body that are still read, and thrown away: a client that is cut off while it sends
# sees a broken connection and not why.
_READ_AWAY = 32 << 20
_SAFE = {"x-content-type-options": "nosniff"}


@dataclasses.dataclass
class _Model:
    """A model and its thread. `told`: its metadata."""

    worker: Worker
    told: dict[str, Any]


class Application:
    """Answers for models by name; `asgi` is the application as servers run it.

    Attributes:
      is_stopping: tells clients to open no further requests on their connections.
      answered: requests for predictions that got them, and those that were refused or failed.
    """

    def __init__(self, predictors: Mapping[str, Predictor[Any, Any]], limits: LimitOptions) -> None:
        self.limits = limits
        self.is_stopping = False
        self.answered = self.refused = self._at_a_time = 0
        self._models = {}
        for name, predictor in predictors.items():
            told = contract.metadata(name, predictor, contract.sample(predictor))
            self._models[name] = _Model(Worker(name, predictor, limits.max_queue), told)
        self._page = page.read()
        routes = [
            Route("/", self._show_page),
            Route("/healthz", self._tell_health),
            Route("/v1/models", self._list_models),
            Route("/v1/models/{rest:path}", self._of_a_model, methods=["GET", "POST"]),
        ]
        handlers: dict[Any, Any] = {
            HTTPException: self._http_error,
            InputError: self._bad_input,
            ClientDisconnect: self._nobody_there,
            Exception: self._failure,
        }
        self.asgi = Starlette(routes=routes, exception_handlers=handlers)

    def close(self) -> None:
        """Answers what still waits and ends the threads."""
        for model in self._models.values():
            model.worker.close()

    async def _show_page(self, request: Request) -> Response:
        return self._response(self._page.content, 200, "text/html; charset=utf-8", self._page.headers)

    async def _tell_health(self, request: Request) -> Response:
        dead = [name for name, model in self._models.items() if not model.worker.is_alive]
        if dead or self.is_stopping:
            return self._error(503, f"the thread of '{dead[0]}' has ended" if dead else "the server is about to end")
        return self._json({"status": "ok", "models": list(self._models)})

    async def _list_models(self, request: Request) -> Response:
        listed = [{"name": name, **model.told["metadata"]["model"]} for name, model in self._models.items()]
        return self._json({"models": listed})

    async def _of_a_model(self, request: Request) -> Response:
        path = request.scope["path"]
        found = _MODEL_PATH.fullmatch(path)
        if not found:
            raise HTTPException(404, _no_such_path(path))
        name, version, what = found.groups()
        method = "POST" if what == ":predict" else "GET"
        if request.method != method and (request.method, method) != ("HEAD", "GET"):
            raise HTTPException(405, f"found {request.method}, expected {method} for {shown(path)}", {"allow": method})
        if name not in self._models:
            raise HTTPException(404, f"no model {shown(name)} here, expected one of {', '.join(self._models)}")
        if version not in (None, contract.VERSION):
            raise HTTPException(
                404, f"no version {shown(version)} of the model {name}, there is only {contract.VERSION}"
            )
        if what == ":predict":
            return await self._predict(request, self._models[name].worker)
        return self._json(self._models[name].told if what else contract.status())

    async def _predict(self, request: Request, worker: Worker) -> Response:
        """What is refused because there is no room for it is not read."""
        if self._at_a_time >= self.limits.max_queue:
            raise _too_many(f"{self._at_a_time} requests are under way, expected fewer")
        self._at_a_time += 1
        try:
            body = await self._body(request)
            question, examples = await asyncio.to_thread(self._checked, body, worker)
            try:
                waiting = worker.submit(examples)
            except Full as full:
                raise _too_many(f"{full.rows} rows wait, {len(examples)} more are too many") from None
            predictions = await _unless_left(request, waiting)
            content = await asyncio.to_thread(contract.answer, predictions, question.is_columnar)
        finally:
            self._at_a_time -= 1
        self.answered += 1
        return self._response(content)

    def _checked(self, body: bytes, worker: Worker) -> tuple[contract.Question, list[Any]]:
        question = contract.read(body)
        if len(question.rows) > self.limits.max_rows:
            raise HTTPException(413, f"{len(question.rows)} rows, expected at most {self.limits.max_rows}")
        return question, worker.predictor.read(question.rows, question.place)

    async def _body(self, request: Request) -> bytes:
        """The body of a request. Raises HTTPException for one that is too long or does not come."""
        limit = int(self.limits.max_body_mb * 1e6)
        try:
            body, size = await asyncio.wait_for(_limited(request, limit), self.limits.max_body_seconds)
        except asyncio.TimeoutError:
            what = f"the body is not whole after {self.limits.max_body_seconds} seconds"
            raise HTTPException(408, what, {"connection": "close"}) from None
        if size > limit:
            raise HTTPException(413, f"a body of more than {self.limits.max_body_mb:g} MB, expected a shorter one")
        return body

    def _json(
        self, content: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Response:
        return self._response(contract.to_json(content), status, headers=headers)

    def _error(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
        return self._json({"error": sentence}, status, headers)

    def _response(
        self,
        content: bytes,
        status: int = 200,
        media_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        last = {"connection": "close"} if self.is_stopping else {}
        return Response(content, status, {**_SAFE, **(headers or {}), **last}, media_type)

    async def _http_error(self, request: Request, error: HTTPException) -> Response:
        self.refused += 1
        sentence = error.detail
        if sentence == http.HTTPStatus(error.status_code).phrase:  # of the framework, which says no more
            path = request.scope["path"]
            sentence = _no_such_path(path) if error.status_code == 404 else f"{request.method} is not for {shown(path)}"
        return self._error(error.status_code, sentence, error.headers)

    async def _bad_input(self, request: Request, error: InputError) -> Response:
        self.refused += 1
        return self._error(400, str(error))

    async def _nobody_there(self, request: Request, error: ClientDisconnect) -> Response:
        self.refused += 1
        return self._error(400, "the client has left")  # which nobody reads

    async def _failure(self, request: Request, error: Exception) -> Response:
        self.refused += 1
        return self._error(500, "the server could not answer this; its log says why")


def _no_such_path(path: str) -> str:
    return f"no such path: {shown(path)}, expected /v1/models/NAME:predict, /v1/models/NAME, /healthz or /"


def _too_many(what: str) -> HTTPException:
    return HTTPException(429, f"too much at a time: {what}; come again", {"retry-after": "1"})


async def _limited(request: Request, limit: int) -> tuple[bytes, int]:
    """The body and its size; of a body above the limit not all is kept, and its size may be larger still."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size <= limit:
            parts.append(part)
        elif size > limit + _READ_AWAY:
            break
    return b"".join(parts), size


async def _unless_left(request: Request, waiting: Future[list[Prediction]]) -> list[Prediction]:
    """The predictions; raises ClientDisconnect, and gives the request up, where the client leaves before."""
    answer = asyncio.wrap_future(waiting)
    left: asyncio.Future[Any] = asyncio.ensure_future(
        request.receive()
    )  # behind the body nothing comes but the end of the connection
    try:
        await asyncio.wait([answer, left], return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            raise ClientDisconnect
        return answer.result()
    finally:
        left.cancel()
