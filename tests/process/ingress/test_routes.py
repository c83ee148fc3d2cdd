import json

from schemas.published import read

COMMAND_ID = "7f2c1a90-0000-4000-8000-000000000000"
METHODS = {"GET", "POST"}


def test_the_document_has_exactly_the_served_routes(ingress):
    document = json.loads(read("openapi.json"))
    served = {
        (route.path, method.lower()) for route in ingress.components.app.routes for method in route.methods & METHODS
    }
    published = {(path, method) for path, operations in document["paths"].items() for method in operations}
    assert served == published


def test_no_path_is_hidden_by_a_path_with_a_parameter(ingress):
    table = ingress.components.app.router
    for route in table.routes:
        path = route.path.replace("{commandId}", COMMAND_ID).replace("{", "").replace("}", "")
        for method in route.methods:
            scope = {"path": path, "method": method}
            assert table.find(scope) == route.endpoint
            assert scope["route"].path == route.path
