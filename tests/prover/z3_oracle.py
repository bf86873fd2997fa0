"""Whether one set of identity policies allows more than another, decided by Z3.

Written from the IAM User Guide ("Policy elements", "Condition operators", "Conditions with multiple context keys or
values", "Variables and tags") and the domain in docs/prove.md, without a look at how src/prove/ does it.

stdin:  a line {"new": [DOCUMENT, ...], "baseline": [...], "found": null or {"reading": R, "action": A, "resource": T,
        "context": {KEY: [VALUE, ...]}}} for each question
stdout: a line {"aligned": ANSWER, "any": ANSWER, "found": ANSWER or null, "witness": null or an object like "found"}

An ANSWER is "sat" (there is such a request), "unsat" or "unknown". R is "whole" or "segmented"; both are looked at.
"aligned" leaves out, under "whole" and where only a Deny of the baseline stands in the way, resources of more than six
fields (docs/prove.md, "Where a resource part begins"); "any" leaves out nothing. "found": does the given request get out?
"""

import base64
import datetime
import fractions
import ipaddress
import json
import re
import sys

import lazily
import z3

ANY = z3.AllChar(z3.ReSort(z3.StringSort()))
NO_COLON = z3.Union(z3.Range(chr(0), "9"), z3.Range(";", r"\u{2ffff}"))
EVERYTHING = z3.Star(ANY)
NAME = z3.Plus(z3.Union(z3.Range("a", "z"), z3.Range("0", "9"), z3.Re("-"), z3.Re("_"), z3.Re(".")))
ACTION = z3.Concat(NAME, z3.Re(":"), NAME)
LONG = z3.Concat(*([EVERYTHING, z3.Re(":")] * 6), EVERYTHING)
VARIABLE = re.compile(r"\$\{([^}]*)\}")


def either(terms):
    return z3.Or(*terms) if terms else z3.BoolVal(False)


def each(terms):
    return z3.And(*terms) if terms else z3.BoolVal(True)


def listed(value):
    return value if isinstance(value, list) else [value]


class Pieces:
    """A pattern cut into ("text", T), ("star",), ("one",) and ("variable", KEY, DEFAULT)."""

    def __init__(self, text, variables, wildcards):
        self.pieces, at = [], 0
        while at < len(text):
            found = VARIABLE.match(text, at) if variables else None
            if found:
                self.pieces.append(self.variable(found[1]))
                at = found.end()
                continue
            sign = {"*": ("star",), "?": ("one",)}.get(text[at]) if wildcards else None
            self.pieces.append(sign or ("text", text[at]))
            at += 1

    @staticmethod
    def variable(inside):
        if inside in ("*", "?", "$"):
            return ("text", inside)
        key, comma, default = inside.partition(",")
        return ("variable", key.strip().lower(), default.strip()[1:-1] if comma else None)

    def fields(self):
        """Cut at the first five colons, as an ARN is."""
        fields = [[]]
        for piece in self.pieces:
            if piece == ("text", ":") and len(fields) < 6:
                fields.append([])
            else:
                fields[-1].append(piece)
        return fields


def letter(c, fold):
    forms = {c, c.lower(), c.upper()} if fold else {c}
    if "k" in forms and fold:
        forms.add("\u212a")  # the Kelvin sign, whose lower case is k
    parts = [z3.Re(form) for form in sorted(forms)]
    return parts[0] if len(parts) == 1 else z3.Union(*parts)


def regular(pieces, one, fold=False):
    """The regular expression of pieces without variables; `one` is what a wildcard may stand for."""
    signs = {"star": lambda p: z3.Star(one), "one": lambda p: one, "text": lambda p: letter(p[1], fold)}
    parts = [signs[p[0]](p) for p in pieces]
    return z3.Re("") if not parts else parts[0] if len(parts) == 1 else z3.Concat(*parts)


class Key:
    """A context key: absent, or up to `size` values of one kind."""

    def __init__(self, name, kind, size):
        self.name, self.kind = name, kind
        self.absent = z3.Bool(f"absent {name}")
        make = {"number": z3.Real, "date": z3.Int, "bool": z3.Bool}.get(kind, z3.String)
        if kind == "address":
            self.values = [(z3.Bool(f"{name} v6 {i}"), z3.Int(f"{name} {i}")) for i in range(size)]
        else:
            self.values = [make(f"{name} {i}") for i in range(size)]

    def domain(self):
        if self.kind == "date":
            return [z3.And(v >= instant("1971"), v < instant("9000")) for v in self.values]
        if self.kind == "address":
            return [z3.And(n >= 0, n < z3.If(v6, z3.IntVal(2**128), z3.IntVal(2**32))) for v6, n in self.values]
        return []

    def single(self):
        """Present with one value: then it can stand in for a variable."""
        return each([z3.Not(self.absent)] + [v == self.values[0] for v in self.values[1:]])

    def equals(self, texts):
        """The key has exactly these values, none meaning that it is absent."""
        if not texts:
            return self.absent
        padded = texts + [texts[-1]] * (len(self.values) - len(texts))
        return each([z3.Not(self.absent)] + [self.same(v, t) for v, t in zip(self.values, padded)])

    def same(self, value, text):
        if self.kind == "address":
            address = ipaddress.ip_address(text)
            return z3.And(value[0] == (address.version == 6), value[1] == int(address))
        read = {"number": number, "date": instant, "bool": lambda t: t == "true", "bytes": octets}
        return value == read.get(self.kind, z3.StringVal)(text)

    def texts(self, model, found):
        """The values in a model, texts apart, None where they cannot be written."""
        if z3.is_true(model.eval(self.absent, model_completion=True)):
            return []
        values = []
        for value in self.values:
            text = self.text(model, found, value)
            if text not in values:
                values.append(text)
        return None if None in values else values

    def text(self, model, found, value):
        of = lambda term: model.eval(term, model_completion=True)
        if self.kind == "address":
            make = ipaddress.IPv6Address if z3.is_true(of(value[0])) else ipaddress.IPv4Address
            return str(make(of(value[1]).as_long()))
        if self.kind == "number":
            return decimal(of(value).as_fraction())
        if self.kind == "date":
            seconds, nanoseconds = divmod(of(value).as_long(), 10**9)
            stamp = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
            return f"{stamp:%Y-%m-%dT%H:%M:%S}.{nanoseconds:09}Z"
        if self.kind == "bool":
            return "true" if z3.is_true(of(value)) else "false"
        text = plain(found[str(value)]) if str(value) in found else ""
        return base64.b64encode(text.encode("latin-1")).decode() if self.kind == "bytes" else text


def plain(value):
    """A string of a model, with its \\u{...} taken back."""
    return re.sub(r"\\u\{([0-9a-f]+)\}", lambda m: chr(int(m[1], 16)), value.as_string())


def number(text):
    return z3.Q(fractions.Fraction(text).numerator, fractions.Fraction(text).denominator)


def decimal(value):
    """A fraction as a decimal, None where it has no end."""
    for places in range(30):
        if (value * 10**places).denominator == 1:
            digits = str(abs(int(value * 10**places))).rjust(places + 1, "0")
            cut = len(digits) - places
            return ("-" if value < 0 else "") + digits[:cut] + ("." + digits[cut:] if places else "")
    return None


def instant(text):
    """Nanoseconds since 1970."""
    if re.fullmatch(r"\d{5,}", text):
        return int(text) * 10**9
    text += {4: "-01-01", 7: "-01"}.get(len(text), "")
    main, point, fraction = text.replace("Z", "+00:00").partition(".")
    digits, zone = (re.match(r"\d+", fraction)[0], re.sub(r"^\d+", "", fraction)) if point else ("", "")
    stamp = datetime.datetime.fromisoformat(main + zone)
    stamp = stamp.replace(tzinfo=stamp.tzinfo or datetime.timezone.utc)
    return int(stamp.timestamp()) * 10**9 + int(digits.ljust(9, "0"))


def octets(text):
    return z3.StringVal(base64.b64decode(text).decode("latin-1"))


KINDS = (("Numeric", "number"), ("Date", "date"), ("Bool", "bool"), ("Binary", "bytes"), ("IpAddress", "address"), ("NotIpAddress", "address"))


def kind_of(operator):
    return next((kind for prefix, kind in KINDS if operator.startswith(prefix)), "text")


class Operator:
    """`ForAllValues:StringNotLikeIfExists` taken apart."""

    def __init__(self, text):
        self.set, _, rest = text.rpartition(":")
        self.if_exists = rest.endswith("IfExists")
        self.name = rest.removesuffix("IfExists")
        self.negated = "Not" in self.name
        self.kind = kind_of(self.name)


class Question:
    def __init__(self, ask):
        self.sides = [[self.document(d) for d in ask[side]] for side in ("new", "baseline")]
        tests = [t for side in self.sides for _, statements in side for s in statements for t in self.tests(s)]
        found = (ask.get("found") or {}).get("context", {})
        names = {key for _, key, _ in tests} | set(found) | self.referred(json.dumps(self.sides))
        self.keys, self.texts = {}, lazily.Tests()
        for name in sorted(names):
            own = [op for op, key, _ in tests if key == name and op.name != "Null"]
            several = max(len(own), 1, len(found.get(name, []))) if any(op.set for op in own) else 1
            kinds = {op.kind for op in own} or {"text"}
            kind = kinds.pop() if len(kinds) == 1 else "text" if kinds == {"text", "bool"} else None
            if kind is None:
                raise NotImplementedError(name)
            self.keys[name] = Key(name, kind, several)
        self.action, self.resource = z3.String("action"), z3.String("resource")

    @staticmethod
    def document(document):
        return document.get("Version", "2008-10-17") == "2012-10-17", listed(document["Statement"])

    @staticmethod
    def referred(text):
        return {inside.partition(",")[0].strip().lower() for inside in VARIABLE.findall(text) if inside not in ("*", "?", "$")}

    @staticmethod
    def tests(statement):
        blocks = statement.get("Condition", {}).items()
        return [(Operator(op), key.lower(), listed(values)) for op, block in blocks for key, values in block.items()]

    def domain(self):
        return each([d for key in self.keys.values() for d in key.domain()])

    def decided(self, side, reading):
        """(some Allow matches, some Deny matches)"""
        matching = {"Allow": [], "Deny": []}
        for variables, statements in side:
            for statement in statements:
                matching[statement["Effect"]].append(self.applies(statement, variables, reading))
        return either(matching["Allow"]), either(matching["Deny"])

    def applies(self, statement, variables, reading):
        action = lambda p: self.like(self.action, Pieces(p.lower(), False, True))
        resource = lambda p: self.on(p, variables, reading)
        terms = [self.condition(*test, variables) for test in self.tests(statement)]
        for name, test in (("Action", action), ("Resource", resource)):
            negated = f"Not{name}" in statement
            patterns = listed(statement[f"Not{name}" if negated else name])
            matched = either([test(p) for p in patterns])
            resolved = each([self.resolved(p, variables and name == "Resource") for p in patterns])
            terms.append(z3.And(z3.Not(matched), resolved) if negated else matched)
        return each(terms)

    def on(self, pattern, variables, reading):
        pieces = Pieces(pattern, variables, True)
        if pattern.startswith("arn:"):
            missing = 6 - len(pieces.fields())
            pieces.pieces += [("text", ":"), ("star",)] * missing
        return self.like(self.resource, pieces, arn=reading == "segmented")

    def like(self, text, pieces, arn=False, fold=False):
        """`text` matches; with `arn`, wildcards of the first five fields stay in their field."""
        if pieces.pieces and all(piece == ("star",) for piece in pieces.pieces):
            return z3.BoolVal(True)
        if any(piece[0] == "variable" for piece in pieces.pieces):
            return self.with_variable(text, pieces.pieces)
        return self.texts.flag(self.matches(text, pieces, arn, fold))

    @staticmethod
    def matches(text, pieces, arn, fold):
        if not arn or all(piece[0] == "text" for piece in pieces.pieces):
            return z3.InRe(text, regular(pieces.pieces, ANY, fold))
        fields = pieces.fields()
        parts = [regular(field, NO_COLON if n < 5 else ANY) for n, field in enumerate(fields)]
        joined = [part for n, field in enumerate(parts) for part in ([z3.Re(":"), field] if n else [field])]
        return z3.InRe(text, joined[0] if len(joined) == 1 else z3.Concat(*joined))

    def resolved(self, pattern, variables):
        """Every variable has a value."""
        found = [p for p in Pieces(pattern, variables, False).pieces if p[0] == "variable"]
        return each([self.has_value(piece) for piece in found])

    def has_value(self, variable):
        _, key, default = variable
        key = self.keys[key]
        return key.single() if default is None else z3.Or(key.single(), key.absent)

    def with_variable(self, text, pieces):
        """Text and variables, with `*` only at either end. The cases of a default stand apart: a test on texts must not
        depend on anything but texts."""
        middle = list(pieces)
        before, after = middle[0] == ("star",), middle[-1] == ("star",)
        middle = middle[before : len(middle) - after]
        cases = [([], [])]
        for piece in middle:
            if piece[0] == "star" or piece[0] == "one":
                raise NotImplementedError(pieces)
            options = self.options(piece) if piece[0] == "variable" else [([], z3.StringVal(piece[1]))]
            cases = [(known + when, terms + [term]) for known, terms in cases for when, term in options]
        return either([each(known + [self.texts.flag(self.around(text, terms, before, after))]) for known, terms in cases])

    def options(self, variable):
        """What a variable can stand for, and when."""
        _, key, default = variable
        key = self.keys[key]
        value = ([key.single()], key.values[0])
        return [value] if default is None else [value, ([key.absent], z3.StringVal(default))]

    @staticmethod
    def around(text, terms, before, after):
        whole = terms[0] if len(terms) == 1 else z3.Concat(*terms)
        tests = {
            (False, False): text == whole,
            (False, True): z3.PrefixOf(whole, text),
            (True, False): z3.SuffixOf(whole, text),
            (True, True): z3.Contains(text, whole),
        }
        return tests[before, after]

    def condition(self, operator, key, wanted, variables):
        key = self.keys[key]
        if operator.name == "Null":
            return either([key.absent if str(w).lower() == "true" else z3.Not(key.absent) for w in wanted])
        if operator.if_exists or operator.set == "ForAllValues":
            absent = True
        else:
            absent = operator.negated and not operator.set
        one = [self.hit(operator, key.kind, value, [str(w) for w in wanted], variables) for value in key.values]
        present = each(one) if operator.set == "ForAllValues" else either(one)
        return z3.If(key.absent, z3.BoolVal(absent), present)

    def hit(self, operator, kind, value, wanted, variables):
        matched = either([self.compare(operator, kind, value, w, variables) for w in wanted])
        resolved = each([self.resolved(w, variables) for w in wanted]) if operator.kind == "text" else z3.BoolVal(True)
        return z3.And(z3.Not(matched), resolved) if operator.negated else matched

    def compare(self, operator, kind, value, wanted, variables):
        name = operator.name.replace("Not", "")
        if operator.kind in ("number", "date"):
            own = number(wanted) if kind == "number" else z3.IntVal(instant(wanted))
            order = name.removeprefix("Numeric").removeprefix("Date")
            return {"Equals": value == own, "LessThan": value < own, "LessThanEquals": value <= own,
                    "GreaterThan": value > own, "GreaterThanEquals": value >= own}[order]
        if operator.kind == "address":
            network = ipaddress.ip_network(wanted, strict=False)
            last = int(network.broadcast_address)
            return z3.And(value[0] == (network.version == 6), value[1] >= int(network.network_address), value[1] <= last)
        if operator.kind == "bytes":
            return self.texts.flag(value == octets(wanted))
        if kind == "bool":
            return value == (wanted.lower() == "true")
        if operator.kind == "bool" or name == "StringEqualsIgnoreCase":
            return self.like(value, Pieces(wanted, variables, False), fold=True)
        if name == "StringEquals":
            return self.like(value, Pieces(wanted, variables, False))
        return self.like(value, Pieces(wanted, variables, True), arn=name.startswith("Arn"))

    def escape(self, reading, aligned):
        """A request that the new policies allow and the baseline does not."""
        (allow, deny), (covered, denied) = (self.decided(side, reading) for side in self.sides)
        if aligned and reading == "whole":
            denied = z3.And(denied, z3.Not(self.texts.flag(z3.InRe(self.resource, LONG))))
        return z3.And(self.domain(), allow, z3.Not(deny), z3.Or(z3.Not(covered), denied))

    def fixed(self, found):
        """The request is this one."""
        terms = [self.action == found["action"].lower(), self.resource == found["resource"]]
        terms += [key.equals(found["context"].get(name, [])) for name, key in self.keys.items()]
        return each(terms)

    def gets_out(self, reading, aligned, found):
        """Whether this request does."""
        return lazily.check(self.texts.spelled(self.escape(reading, aligned)), self.fixed(found))[0]

    def search(self, reading, aligned):
        """(answer, witness or None)"""
        answer, model, texts = self.texts.solve(self.escape(reading, aligned), {"action": z3.InRe(self.action, ACTION)})
        return answer, self.witness(model, texts, reading) if answer == "sat" else None

    def witness(self, model, texts, reading):
        values = {name: key.texts(model, texts) for name, key in self.keys.items()}
        if None in values.values():
            return None
        resource = plain(texts["resource"]) if "resource" in texts else "*"
        present = {name: own for name, own in values.items() if own}
        return {"reading": reading, "action": plain(texts["action"]), "resource": resource, "context": present}


def worst(answers):
    return next((a for a in ("sat", "unknown") if a in answers), "unsat")


def answer(ask):
    question = Question(ask)
    strict, loose, witnesses = [], [], []
    for reading in ("whole", "segmented"):
        answer, witness = question.search(reading, False)
        loose.append(answer)
        witnesses += [witness] if witness else []
        if answer == "sat" and reading == "whole" and not (witness and question.gets_out(reading, True, witness) == "sat"):
            answer = question.search(reading, True)[0]
        strict.append(answer)
    found = ask.get("found")
    confirmed = found and question.gets_out(found["reading"], False, found)
    return {"aligned": worst(strict), "any": worst(loose), "found": confirmed, "witness": next(iter(witnesses), None)}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
