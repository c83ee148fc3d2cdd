import importlib
import pkgutil
from typing import Annotated

import pytest
from pydantic import SecretStr

import schemas
from schemas.authorization import AuthorizationRecord
from schemas.collate.authorization import ReviewSnapshot
from schemas.collate.handoff import AccessGrant
from schemas.commands import COMMANDS, Completed, HandoffCloseBody
from schemas.dead_letter import DeadLetter
from schemas.enums import ReportedOutcome
from schemas.events import EVENTS
from schemas.model import PHI, PUBLIC, SECRET, Model, Phi, Public, Secret, Tolerant, data_class, declared, nested_models


def all_models():
    for module in pkgutil.iter_modules(schemas.__path__, "schemas."):
        importlib.import_module(module.name)
    found, queue = set(), [Model, Tolerant]
    while queue:
        for model in queue.pop().__subclasses__():
            found.add(model)
            queue.append(model)
    return sorted(
        (model for model in found if model.__module__.startswith("schemas.")), key=lambda model: model.__name__
    )


def within(model, seen=None):
    seen = set() if seen is None else seen
    if model not in seen:
        seen.add(model)
        for field in model.model_fields:
            for nested in nested_models(model, field):
                within(nested, seen)
    return seen


def test_every_field_of_every_model_declares_its_data_class():
    silent = [
        f"{model.__name__}.{field}"
        for model in all_models()
        for field in model.model_fields
        if not is_declared(model, field)
    ]
    assert len(all_models()) > 40
    assert silent == []


def is_declared(model, field):
    return declared(model, field) is not None


def test_no_field_declares_a_lower_class_than_its_content():
    short = [
        f"{model.__name__}.{field}"
        for model in all_models()
        for field in model.model_fields
        if data_class(model, field) > declared(model, field)
    ]
    assert short == []


@pytest.mark.parametrize("model", [*EVENTS.values(), AuthorizationRecord], ids=lambda model: model.__name__)
def test_published_models_have_public_fields_only(model):
    assert {
        f"{part.__name__}.{field}" for part in within(model) for field in part.model_fields if not_public(part, field)
    } == set()


def not_public(model, field):
    return data_class(model, field) is not PUBLIC


def test_no_kafka_record_can_contain_a_secret():
    for model in [*COMMANDS.values(), *EVENTS.values(), AuthorizationRecord, DeadLetter]:
        for part in within(model):
            assert all(data_class(part, field) < SECRET for field in part.model_fields), part


def test_an_undeclared_field_is_phi_and_a_container_has_the_class_of_its_content():
    class Inner(Model):
        secret: Secret[str]

    class Outer(Model):
        silent: str
        open: Public[str | None]
        nested: Public[Inner | None]
        listed: Public[list[Annotated[str, PHI]]]
        inside_union: Phi[str] | None

    assert declared(Outer, "silent") is None
    assert data_class(Outer, "silent") is PHI
    assert data_class(Outer, "open") is PUBLIC
    assert data_class(Outer, "nested") is SECRET
    assert data_class(Outer, "inside_union") is PHI


def test_a_repr_shows_public_values_only():
    body = HandoffCloseBody(
        result=Completed(
            reported_outcome=ReportedOutcome.SUBMITTED, observed_reference_number="REF-9", operator_notes="Jane Roe"
        ),
        metadata={"case": "c-1"},
    )
    for shown in (repr(body), str(body), f"{body}"):
        assert "submitted" in shown
        assert "c-1" in shown
        assert "REF-9" not in shown
        assert "Jane" not in shown


def test_a_grant_is_only_shown_on_explicit_request():
    grant = AccessGrant.from_wire(
        b'{"id":"rag_planted","url":"https://api.example/runtime/access/rag_planted","expiresAt":"2026-06-02T14:15:00Z"}'
    )
    shown = [repr(grant), str(grant), grant.model_dump_json(), str(grant.model_dump()), str(vars(grant)), repr([grant])]
    assert not [text for text in shown if "planted" in text]
    assert isinstance(grant.url, SecretStr)
    assert grant.url.get_secret_value().endswith("rag_planted")


def test_a_review_snapshot_keeps_all_fields():
    text = b'{"id":"rev_1","status":"current","new":{"deep":[1,2.5,null,"\\u00e9"]},"answers":{"item":[]}}'
    assert ReviewSnapshot.from_wire(text).to_json() == text.replace(b"\\u00e9", "é".encode())
    assert "deep" not in repr(ReviewSnapshot.from_wire(text))
