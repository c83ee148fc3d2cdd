"""An operation of the HTTP API: its address, its permission, its bodies and its words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from schemas.api.queries import Query
from schemas.model import Model, is_confidential
from schemas.permissions import Permission

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOperation:
    """One method of one path. The ingress serves it by its id; openapi.json describes it.

    Attributes:
        id: The name of the operation in openapi.json and in generated clients.
        permissions: The caller needs one of these. Empty: any caller is admitted.
        is_public: The operation needs no credential.
        query: The model of the query. None: the operation ignores its query.
        without_phi: The parameter of the query, and its value, with which no answer shows PHI.
        headers: The request headers, by the names of their components.
        body: The model of the JSON body.
        answers: The model of each answer that is no plain problem. None: the answer has no model.
        told: The description of the first answer; without it the summary.
        media_type: That of the first answer.
        has_etag: The answer has an ETag. With the same If-None-Match the answer is 304.
        links: The links of the first answer, by the names of their components.
        problems: The statuses of the problems.
    """

    id: str
    method: str
    path: str
    tag: str
    summary: str
    description: str = ""
    permissions: tuple[Permission, ...] = ()
    is_public: bool = False
    query: type[Query] | None = None
    without_phi: tuple[str, str] | None = None
    headers: tuple[str, ...] = ()
    body: type[Model] | None = None
    is_body_required: bool = True
    answers: Mapping[int, type[Model] | None]
    told: str = ""
    media_type: str = JSON
    has_etag: bool = False
    links: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[int, ...]

    @property
    def needs_second_factor(self) -> bool:
        """Whether an answer shows PHI or a secret: a person needs the sign-in that the callers file demands."""
        return any(model is not None and is_confidential(model) for model in self.answers.values())
