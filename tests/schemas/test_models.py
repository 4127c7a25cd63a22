"""Descriptions of inputs, as users write them."""

import pytest

from schemas.models import InputSignature, ModelSource, parse_input


def test_sizes_are_numbers_the_batch_or_names_with_a_default() -> None:
    assert parse_input("float32[batch,3,224,224]") == InputSignature("", "float32", ("batch", 3, 224, 224), {}, None)
    assert parse_input(" int64[batch, length=128]<30522 ") == InputSignature(
        "", "int64", ("batch", "length"), {"length": 128}, 30522
    )


def test_an_input_may_be_a_keyword_argument_and_may_have_no_axes() -> None:
    assert parse_input("attention_mask=bool[batch,16]").name == "attention_mask"
    assert parse_input("float64[]").sizes == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "describes no input; write it as in 'float32[batch,3,224,224]'"),
        ("float32", "describes no input"),
        ("float32[batch", "describes no input"),
        ("float99[batch]", "there is no dtype float99; choose one of float16, bfloat16, float32"),
        ("float32[3]<10", "a bound such as <10 is for integers only"),
        ("int64[batch,length]", "give length a value, as in length=128"),
        ("int64[batch,3.5]", "'3.5' is no size"),
        ("int64[batch,-1]", "'-1' is no size"),
    ],
)
def test_a_description_that_is_invalid_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        parse_input(text)
    assert said in str(refused.value)


def test_a_model_is_titled_as_its_user_named_it() -> None:
    assert ModelSource(file="/home/me/nets/small.py", attribute="Net", folder="/home/me/nets").title == "small.py:Net"
    assert ModelSource(module="mypkg.nets", attribute="build", folder="/home/me").title == "mypkg.nets:build"
    assert ModelSource(file="/home/me/nets/small.py", folder="/home/me/nets").title == "small.py"
