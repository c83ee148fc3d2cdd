"""The checker must fail when something is wrong: each rule broken once in an otherwise good history."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.judge.history import Effect, History, Input, Output, Rule, check


def replay(key, inputs, outputs):
    """Remember which inputs there were and the last sequence."""
    return "+".join([*(item.id for item in inputs), str(len(outputs))]).encode() if inputs else None


def good():
    inputs = [Input(f"{key}{number}", key) for number in range(3) for key in "ab"]
    outputs, effects, clock = [], [], 100.0
    for item in inputs:
        begun = sum(output.key == item.key for output in outputs)
        effects.append(Effect(item.id, item.key, clock, "worker-1"))
        outputs.append(Output(item.key, begun + 1, item.id, is_outcome=False, at=clock + 0.01))
        outputs.append(Output(item.key, begun + 2, item.id, is_outcome=True, at=clock + 0.02))
        clock += 1.0
    states = {
        key: replay(key, [i for i in inputs if i.key == key], [o for o in outputs if o.key == key]) for key in "ab"
    }
    return History(inputs, outputs, states, effects)


def rules(history):
    return {violation.rule for violation in check(history, replay)}


def without(items, index):
    return [item for place, item in enumerate(items) if place != index]


def swapped(items, one, other):
    items = list(items)
    items[one], items[other] = items[other], items[one]
    return items


def test_a_good_history_has_no_violations():
    assert check(good(), replay) == []
    assert check(replace(good(), effects=None), replay) == []


OUTCOME_OF_A1 = 5


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        pytest.param(
            lambda good: {"outputs": without(good.outputs, OUTCOME_OF_A1)}, Rule.NO_OUTCOME, id="an outcome is lost"
        ),
        pytest.param(
            lambda good: {"inputs": [*good.inputs, Input("c0", "c")]}, Rule.NO_OUTCOME, id="an input is never begun"
        ),
        pytest.param(
            lambda good: {"outputs": [*good.outputs, replace(good.outputs[1], sequence=7)]},
            Rule.TWO_OUTCOMES,
            id="an outcome is doubled",
        ),
        pytest.param(
            lambda good: {"inputs": without(good.inputs, 0)}, Rule.UNKNOWN_CAUSE, id="an outcome without input"
        ),
        pytest.param(lambda good: {"inputs": swapped(good.inputs, 0, 2)}, Rule.ORDER, id="inputs in another order"),
        pytest.param(lambda good: {"outputs": without(good.outputs, 0)}, Rule.SEQUENCE, id="an output is lost"),
        pytest.param(
            lambda good: {"outputs": swapped(good.outputs, 0, 1)}, Rule.SEQUENCE, id="outputs in another order"
        ),
        pytest.param(lambda good: {"states": good.states | {"a": b"a0+2"}}, Rule.STATE, id="a state is behind"),
        pytest.param(
            lambda good: {"states": good.states | {"z": b"from nowhere"}}, Rule.STATE, id="a state from nowhere"
        ),
        pytest.param(lambda good: {"states": {"a": good.states["a"]}}, Rule.STATE, id="a state is lost"),
        pytest.param(lambda good: {"effects": without(good.effects, 0)}, Rule.NO_EFFECT, id="an effect is lost"),
        pytest.param(
            lambda good: {"effects": swapped(good.effects, 0, 2)}, Rule.EFFECT_ORDER, id="effects in another order"
        ),
        pytest.param(
            lambda good: {"effects": [*good.effects, replace(good.effects[-1], at=200.0)]},
            Rule.EFFECT_LATE,
            id="an effect comes late",
        ),
    ],
)
def test_each_broken_rule_is_found(change, rule):
    history = good()
    assert rule in rules(replace(history, **change(history)))


def test_an_effect_may_be_repeated_before_the_outcome():
    history = good()
    again = replace(history.effects[0], at=100.005, by="worker-2")
    assert rules(replace(history, effects=[history.effects[0], again, *history.effects[1:]])) == set()


def test_an_input_without_an_intent_needs_no_effect():
    history = good()
    inputs = [replace(history.inputs[0], has_effect=False), *history.inputs[1:]]
    assert rules(replace(history, inputs=inputs, effects=history.effects[1:])) == set()


def test_keys_are_checked_separately():
    history = good()
    assert rules(replace(history, inputs=swapped(history.inputs, 0, 1))) == set()


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_a_lost_doubled_or_moved_output_is_found(data):
    history = good()
    outputs = list(history.outputs)
    index = data.draw(st.integers(0, len(outputs) - 1))
    match data.draw(st.sampled_from(["lost", "doubled", "moved"])):
        case "lost":
            del outputs[index]
        case "doubled":
            outputs.insert(data.draw(st.integers(index, len(outputs))), outputs[index])
        case "moved":
            moved = outputs.pop(index)
            of_key = [place for place, output in enumerate(outputs) if output.key == moved.key]
            target = data.draw(st.sampled_from(of_key))
            outputs.insert(target + (target >= index), moved)
    assert rules(replace(history, outputs=outputs))
