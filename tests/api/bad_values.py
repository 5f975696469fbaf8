"""Put one wrong value into a body, and read which fields a refusal names."""

import copy


def with_value(body, pointer, value):
    """Return a copy of the body with `value` at the pointer; `...` takes the field out."""
    changed = copy.deepcopy(body)
    *path, last = (step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/"))
    place = changed
    for step in path:
        place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
    if value is ...:
        del place[last]
    elif isinstance(place, list):
        place[int(last) : int(last) + 1] = [value]
    else:
        place[last] = value
    return changed


def pointers(response):
    """Return the fields that a 422 names, each once."""
    assert response.status_code == 422, (response.status_code, response.get_data(as_text=True))
    assert response.content_type == "application/problem+json"
    found = [each["pointer"] for each in response.json["errors"]]
    assert len(found) == len(set(found)), found
    said = [each["detail"] for each in response.json["errors"]]
    assert all(said)
    # Those begin so that the library says of itself: nobody translates them.
    assert not [each for each in said if each.startswith(("Field ", "Missing ", "Not a valid"))]
    return set(found)
