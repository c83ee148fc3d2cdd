from tests.class_names import find_problems

ONE, OTHER = "class Report: ...\nclass _Private: ...", "class Report: ...\nclass _Private: ...\nclass Own: ..."


def test_a_public_class_in_two_modules_is_a_problem():
    assert find_problems({"a.py": ONE, "b.py": OTHER}, {}) == [
        "class Report is defined in a.py, b.py: rename all but one"
    ]


def test_private_and_nested_classes_may_repeat():
    nested = "class {}:\n    class Meta: ..."
    assert find_problems({"a.py": nested.format("A"), "b.py": nested.format("B") + "\nclass _C: ..."}, {}) == []


def test_an_allowed_name_may_repeat_and_must_repeat():
    assert find_problems({"a.py": ONE, "b.py": OTHER}, {"Report": "a reason"}) == []
    assert find_problems({"a.py": ONE}, {"Report": "a reason"}) == [
        "class Report is allowed to be repeated, but is not"
    ]
