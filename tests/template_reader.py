"""Reads templates with PyYAML, or with json where that is what they are, and prints one line of JSON for each.

Intrinsic functions come out in their long form, dates as the texts that CloudFormation takes them for.
"""

import json
import sys

import yaml


class Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def function(loader, name, node):
    if isinstance(node, yaml.ScalarNode):
        argument = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        argument = loader.construct_sequence(node, deep=True)
    else:
        argument = loader.construct_mapping(node, deep=True)
    if name == "GetAtt" and isinstance(argument, str):
        argument = argument.split(".", 1)
    return {name if name in ("Ref", "Condition") else "Fn::" + name: argument}


Loader.add_multi_constructor("!", function)

for path in sys.argv[1:]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        text = file.read()
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = yaml.load(text, Loader)
    print(json.dumps(value))
