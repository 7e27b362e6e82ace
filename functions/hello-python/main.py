"""The smallest Python function: the event is the request's JSON, and what it returns becomes the response's.

    hearth invoke hello-python -d '{"name": "Ada"}'
"""

import platform


def handler(event, context):
    name = event.get("name", "world") if isinstance(event, dict) else "world"
    print(f"greeting {name}")
    return {
        "message": f"Hello, {name}!",
        "python": platform.python_version(),
        "invocation": context.invocation_id,
    }
