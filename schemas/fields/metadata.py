"""A command's metadata: pairs of short words, without free text, that its events repeat."""

from typing import Annotated

from pydantic import AfterValidator, Field, TypeAdapter, WithJsonSchema

from schemas.fields.scalars import METADATA_PAIRS, MetadataKey, MetadataValue


def _in_order(metadata: dict[str, str]) -> dict[str, str]:
    # A retry must have the same bytes also if it sends the pairs in another order.
    return dict(sorted(metadata.items()))


# pydantic would publish only patternProperties, which allows any other key.
_PUBLISHED = WithJsonSchema(
    {
        "type": "object",
        "maxProperties": METADATA_PAIRS,
        "propertyNames": TypeAdapter(MetadataKey).json_schema(),
        "additionalProperties": TypeAdapter(MetadataValue).json_schema(),
    }
)

Metadata = Annotated[
    dict[MetadataKey, MetadataValue], Field(max_length=METADATA_PAIRS), AfterValidator(_in_order), _PUBLISHED
]
