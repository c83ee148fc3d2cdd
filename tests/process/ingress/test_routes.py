import json

from schemas.documents import publish

METHODS = {"GET", "POST"}


def test_the_published_document_names_exactly_the_addresses_that_are_served(ingress):
    document = json.loads(publish.read("openapi.json"))
    served = {
        (route.path, method.lower()) for route in ingress.components.app.routes for method in route.methods & METHODS
    }
    published = {(path, method) for path, operations in document["paths"].items() for method in operations}
    assert served == published
