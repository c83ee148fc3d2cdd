"""What a caller may attach to a command and finds again in its events: short words, never free text."""

from typing import Annotated

from pydantic import AfterValidator, Field, TypeAdapter, WithJsonSchema

from schemas.field_types import METADATA_PAIRS, MetadataKey, MetadataValue


def _in_order(metadata: dict[str, str]) -> dict[str, str]:
    # The same pairs in another order are the same command: a retry must have the same bytes.
    return dict(sorted(metadata.items()))


# pydantic would publish patternProperties alone, which lets any other key through.
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
