"""Who opens a folder without the four rooms finds a list of what is in it, and it is true."""

import re
from pkgutil import iter_modules

import pytest

from marketplace import core, web


@pytest.mark.parametrize("package", [core, web], ids=["core", "web"])
def test_each_module_stands_once_in_the_list_of_its_package(package):
    _, _, listing = package.__doc__.partition("\n\n")
    listed = re.findall(r"\w+", re.sub(r"^.{14}", "", listing, flags=re.M))
    assert sorted(listed) == sorted(each.name for each in iter_modules(package.__path__))
