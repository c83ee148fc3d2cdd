"""CloudEvents 1.0 over Kafka (binary mode) and HTTP (both modes are read, structured events are written).

The envelope's data stays bytes; the models parse it. Errors name the attribute and the expected value, never the value
found.
"""

from schemas.cloudevents.envelope import BATCH, JSON, STRUCTURED, CloudEventError, Envelope, KafkaHeaders
from schemas.cloudevents.http_binding import from_http, to_http
from schemas.cloudevents.json_format import from_members, is_json
from schemas.cloudevents.kafka_binding import from_kafka, to_kafka
from schemas.cloudevents.sequence import SEQUENCE_DIGITS, sequence_number, sequence_text
