import json

from schemas.documents import publish

METHODS = {"GET", "POST"}


def test_the_document_has_exactly_the_served_routes(ingress):
    document = json.loads(publish.read("openapi.json"))
    served = {
        (route.path, method.lower()) for route in ingress.components.app.routes for method in route.methods & METHODS
    }
    published = {(path, method) for path, operations in document["paths"].items() for method in operations}
    assert served == published
