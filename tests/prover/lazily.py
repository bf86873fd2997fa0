"""Satisfiability of Boolean combinations of tests on texts, numbers and flags, by Z3.

Z3's theory of strings is slow on large combinations and quick on small ones. So the tests on texts stand as Booleans in
one solver, which proposes combinations; the few tests that a combination needs are asked of the theory of strings, one
group of connected texts at a time. What it refutes is remembered across questions.
"""

import z3

# Deterministic work per question to the theory of strings; the clock is only a second barrier.
WORK = 3_000_000
CLOCK = 10_000
ROUNDS = 400


def check(*terms):
    """(answer, model)"""
    solver = z3.Solver()
    solver.set("rlimit", WORK)
    solver.set("timeout", CLOCK)
    solver.add(*terms)
    answer = str(solver.check())
    return answer, solver.model() if answer == "sat" else None


def texts_in(term):
    """The names of the text variables in a term."""
    if z3.is_const(term):
        known = term.sort() == z3.StringSort() and term.decl().kind() == z3.Z3_OP_UNINTERPRETED
        return {term.decl().name()} if known else set()
    return set().union(*(texts_in(child) for child in term.children()))


class Refuted(Exception):
    """A group of tests cannot hold together; `core` is a small part of it."""

    def __init__(self, core):
        self.core = core


class Unknown(Exception):
    pass


class Tests:
    """The tests on texts of one question."""

    # What the theory of strings has said about groups of tests.
    known = {}

    def __init__(self):
        self.flags, self.tests, self.order = {}, {}, []

    def flag(self, test):
        """The Boolean that stands for a test on texts."""
        name = test.sexpr()
        if name not in self.flags:
            flag = z3.Bool(f"test {len(self.flags)}")
            self.flags[name] = flag
            self.tests[flag.decl().name()] = (test, texts_in(test))
            self.order.append(flag)
        return self.flags[name]

    def spelled(self, term):
        """The term with the tests in place of their Booleans."""
        return z3.substitute(term, [(flag, self.tests[flag.decl().name()][0]) for flag in self.order])

    def solve(self, term, always):
        """(answer, model of everything but texts, {name of a text: value}); `always` holds for texts by name."""
        outer = z3.Solver()
        outer.add(term)
        for _ in range(ROUNDS):
            if outer.check() != z3.sat:
                return "unsat", None, None
            model = outer.model()
            literals = self.needed(term, model)
            try:
                return "sat", model, self.values(literals, always)
            except Refuted as refuted:
                outer.add(z3.Or([z3.Not(literal) for literal in refuted.core]))
            except Unknown:
                return "unknown", None, None
        return "unknown", None, None

    def needed(self, term, model):
        """Of the tests as the model has them, enough to make the term true."""
        solver = z3.Solver()
        solver.add(z3.Not(term))
        for declaration in model.decls():
            if declaration.name() not in self.tests and declaration.arity() == 0:
                solver.add(declaration() == model[declaration])
        chosen = [f if z3.is_true(model.eval(f, model_completion=True)) else z3.Not(f) for f in self.order]
        solver.set("core.minimize", True)
        solver.check(*chosen)
        return list(solver.unsat_core())

    def values(self, literals, always):
        """Texts for which the tests come out as the literals say."""
        found = {}
        for names, group in self.connected(literals, always):
            found.update(self.group(sorted(names), group, [always[name] for name in sorted(names) if name in always]))
        return found

    def connected(self, literals, always):
        """Groups of tests on the same texts."""
        groups = [({name}, []) for name in always]
        for literal in literals:
            flag = literal.arg(0) if z3.is_not(literal) else literal
            names, own = set(self.tests[flag.decl().name()][1]), [literal]
            apart = [g for g in groups if not g[0] & names]
            for other in groups:
                if other[0] & names:
                    names, own = names | other[0], other[1] + own
            groups = apart + [(names, own)]
        return groups

    def group(self, names, literals, always):
        renamed = [(z3.String(name), z3.String(f"text {n}")) for n, name in enumerate(names)]
        spelled = {}
        for literal in literals:
            spelled[z3.substitute(self.spelled(literal), renamed).sexpr()] = literal
        always = [z3.substitute(term, renamed) for term in always]
        question = (tuple(sorted(spelled)), tuple(sorted(term.sexpr() for term in always)))
        if question not in Tests.known:
            tests = {text: z3.substitute(self.spelled(literal), renamed) for text, literal in spelled.items()}
            Tests.known[question] = ask(tests, always, len(names))
        answer, told = Tests.known[question]
        if answer == "unsat":
            raise Refuted([spelled[text] for text in told])
        if answer == "unknown":
            raise Unknown
        return dict(zip(names, told))


def ask(tests, always, size):
    """("sat", texts), ("unsat", names of tests that exclude each other) or ("unknown", None)"""
    solver = z3.Solver()
    solver.set("rlimit", WORK)
    solver.set("timeout", CLOCK)
    solver.add(*always)
    marks = {}
    for n, (name, test) in enumerate(sorted(tests.items())):
        mark = z3.Bool(f"mark {n}")
        marks[mark.decl().name()] = name
        solver.assert_and_track(test, mark)
    answer = str(solver.check())
    if answer == "unsat":
        return answer, [marks[mark.decl().name()] for mark in solver.unsat_core()]
    if answer != "sat":
        return answer, None
    model = solver.model()
    return answer, [model.eval(z3.String(f"text {n}"), model_completion=True) for n in range(size)]
