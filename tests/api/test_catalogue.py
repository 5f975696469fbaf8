"""What a form may be filled in with, over HTTP."""

URL = "/api/v1/catalogue"


def test_the_languages_are_those_of_iso_639_1_by_name(client):
    listed = client.get(URL).json["languages"]
    assert {"code": "de", "name": "German"} in listed
    assert [each["name"] for each in listed] == sorted(each["name"] for each in listed)
    assert len({each["code"] for each in listed}) == len(listed) >= 183


def test_what_has_not_changed_is_not_sent_again(client):
    first = client.get(URL)
    assert first.headers["Cache-Control"] == "public, max-age=3600"
    again = client.get(URL, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
