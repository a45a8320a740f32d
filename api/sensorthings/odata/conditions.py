"""`$filter` → a condition, and expressions of `$orderby` → values.

A path over relations becomes EXISTS. Conjuncts over the same relation share one EXISTS: `Datastreams/name eq 'a' and
Datastreams/Sensor/name eq 'b'` asks for one Datastream that has both, as FROST answers it.
"""

from __future__ import annotations

from collections.abc import Callable

from psycopg import sql
from psycopg.sql import Composable

from api.sensorthings.entities.model import EntitySet, Kind, Navigation, Property, Through
from api.sensorthings.entities.schema import target_of
from api.sensorthings.odata.build import Build, column, conjunction, follows, linked, related, view
from api.sensorthings.odata.comparisons import calculate, compare
from api.sensorthings.odata.errors import MalformedQueryError, NotServedError
from api.sensorthings.odata.functions import FUNCTIONS
from api.sensorthings.odata.names import Named, negates, paths_of, resolve, unknown
from api.sensorthings.odata.syntax import (
    Call,
    Expression,
    Lambda,
    Literal,
    LiteralKind,
    Logic,
    Membership,
    Operation,
    Path,
    Unary,
)
from api.sensorthings.odata.values import Type, Value, as_boolean, as_number

_TYPES = {
    LiteralKind.STRING: Type.STRING,
    LiteralKind.NUMERIC_STRING: Type.STRING,
    LiteralKind.TIME_STRING: Type.STRING,
    LiteralKind.INTEGER: Type.NUMBER,
    LiteralKind.DECIMAL: Type.NUMBER,
    LiteralKind.TIME: Type.TIME,
    LiteralKind.INTERVAL: Type.INTERVAL,
    LiteralKind.DATE: Type.DATE,
    LiteralKind.CLOCK: Type.CLOCK,
    LiteralKind.DURATION: Type.DURATION,
    LiteralKind.GEOMETRY: Type.GEOMETRY,
}
_KINDS = {
    Kind.STRING: Type.STRING,
    Kind.OBJECT: Type.JSON,
    Kind.JSON: Type.JSON,
    Kind.GEOMETRY: Type.GEOMETRY,
    Kind.INSTANT: Type.TIME,
    Kind.INTERVAL: Type.INTERVAL,
    Kind.NUMBER: Type.NUMBER,
    Kind.RESULT: Type.RESULT,
    Kind.QUALITY: Type.JSON,
}
_BARE = sql.SQL("{}")


class Conditions:
    """Compiles expressions about one row: `alias` of `entity`. `where` names the option for messages."""

    def __init__(self, build: Build, entity: EntitySet, alias: str, where: str) -> None:
        self._build = build
        self._entity = entity
        self._alias = alias
        self._where = where

    def condition(self, expression: Expression) -> Composable:
        """Compile a truth value."""
        match expression:
            case Logic(operator="and", operands=operands):
                return self._conjuncts(operands)
            case Logic(operands=operands) if not self._same_relation(expression):
                return sql.SQL("({})").format(sql.SQL(" OR ").join([self.condition(operand) for operand in operands]))
            case Unary(operator="not", operand=operand):
                # What is not true is false, null too (OData 4, 5.1.1.2.3 with 5.1.1.1).
                return sql.SQL("(({}) IS NOT TRUE)").format(self.condition(operand))
            case _:
                return self._exists([expression]) if self._relations(expression) else self._joined().truth(expression)

    def value(self, expression: Expression) -> tuple[Value, Callable[[Composable], Composable]]:
        """Compile a value for ordering, and what must be wrapped around each SQL expression of it."""
        joined = self._joined()
        found = joined.value(expression)
        if joined.many:
            raise MalformedQueryError(self._where, expression.position, "orders only by what there is one of")
        if not joined.sources:
            return found, lambda inner: inner
        return found, lambda inner: sql.SQL("(SELECT {} FROM {} WHERE {})").format(
            inner, sql.SQL(", ").join(joined.sources), conjunction(joined.conditions)
        )

    def row_by_row(self, expression: Expression) -> Composable:
        """Compile a condition over a relation to look it up for one row after the other, never the other way round."""
        joined = self._joined()
        truth = joined.truth(expression)
        # OFFSET 0: an index of what the condition is about would be searched for each row.
        template = sql.SQL("EXISTS (SELECT FROM (SELECT {far}.* FROM {sources} WHERE {reached} OFFSET 0) {far} WHERE {truth})")
        sources, reached = sql.SQL(", ").join(joined.sources), conjunction(joined.conditions)
        return template.format(far=sql.Identifier(joined.furthest), sources=sources, reached=reached, truth=truth)

    def _conjuncts(self, operands: tuple[Expression, ...]) -> Composable:
        parts: list[Composable] = []
        shared: dict[str, list[Expression]] = {}
        for operand in operands:
            relation = self._same_relation(operand)
            if relation is None:
                parts.append(self.condition(operand))
            else:
                shared.setdefault(relation, []).append(operand)
        parts.extend(self._exists(group) for group in shared.values())
        return sql.SQL("({})").format(conjunction(parts))

    def _relations(self, expression: Expression) -> set[str]:
        named = [resolve(path, self._entity, self._build.wire.id_names, self._where) for path in paths_of(expression)]
        return {n.navigations[0].name if n.navigations else "" for n in named} - {""}

    def _same_relation(self, expression: Expression) -> str | None:
        """Give the relation that every path of a positive expression starts with."""
        named = [resolve(path, self._entity, self._build.wire.id_names, self._where) for path in paths_of(expression)]
        names = {n.navigations[0].name if n.navigations else "" for n in named}
        return names.pop() if len(names) == 1 and "" not in names and not negates(expression) else None

    def _joined(self) -> Joined:
        return Joined(self._build, self._entity, self._alias, self._where)

    def _exists(self, expressions: list[Expression]) -> Composable:
        joined = self._joined()
        truths = [joined.truth(expression) for expression in expressions]
        sources = sql.SQL(", ").join(joined.sources)
        return sql.SQL("EXISTS (SELECT FROM {} WHERE {})").format(sources, conjunction([*joined.conditions, *truths]))


class Joined:
    """Compiles expressions over a row and the rows that it is related to, which are joined as they are met."""

    def __init__(self, build: Build, entity: EntitySet, alias: str, where: str) -> None:
        self._build = build
        self._entity = entity
        self._alias = alias
        self._where = where
        self._aliases: dict[tuple[str, ...], str] = {}
        self.sources: list[Composable] = []
        self.conditions: list[Composable] = []
        self.many = False

    @property
    def furthest(self) -> str:
        """The row that was joined last."""
        return next(reversed(self._aliases.values()))

    def truth(self, expression: Expression) -> Composable:
        """Compile a truth value."""
        found = as_boolean(self.value(expression))
        if found is None:
            raise MalformedQueryError(self._where, expression.position, "expected a truth value, such as a comparison")
        return found

    def value(self, expression: Expression) -> Value:  # noqa: PLR0911 - one line for each kind of node
        """Compile a value of any type."""
        match expression:
            case Literal():
                return self._literal(expression)
            case Path():
                return self._path(expression)
            case Logic(operator=operator, operands=operands):
                glue = sql.SQL(" AND ") if operator == "and" else sql.SQL(" OR ")
                return _boolean(sql.SQL("({})").format(glue.join([self.truth(operand) for operand in operands])))
            case Unary(operator="not", operand=operand):
                return _boolean(sql.SQL("(({}) IS NOT TRUE)").format(self.truth(operand)))
            case Unary(operand=operand):
                return self._negative(operand)
            case Operation():
                return self._operation(expression)
            case Membership():
                return self._membership(expression)
            case Call():
                return self._call(expression)
            case Lambda():
                return self._lambda(expression)

    def _lambda(self, found: Lambda) -> Value:
        """Ask whether there is a related entity that meets a condition, or none that does not."""
        joined = Joined(self._build, self._entity, self._alias, self._where)
        target, alias = joined.reach(found.path)
        truths: list[Composable] = []
        if found.condition is not None:
            truth = Conditions(self._build, target, alias, self._where).condition(found.condition)
            truths.append(sql.SQL("({}) IS NOT TRUE").format(truth) if found.every else truth)
        template = sql.SQL("NOT EXISTS (SELECT FROM {} WHERE {})" if found.every else "EXISTS (SELECT FROM {} WHERE {})")
        sources = sql.SQL(", ").join(joined.sources)
        return _boolean(sql.SQL("({})").format(template.format(sources, conjunction([*joined.conditions, *truths]))))

    def reach(self, path: Path) -> tuple[EntitySet, str]:
        """Join the entities that a path of relations leads to, of which the last is to many; gives their set and alias."""
        here, alias, many = self._entity, self._alias, False
        for depth, segment in enumerate(path.segments):
            navigation = here.navigation(segment)
            if navigation is None:
                raise MalformedQueryError(self._where, path.position, unknown(here, segment))
            alias = self._join(path.segments[: depth + 1], here, navigation, alias)
            here, many = target_of(navigation), navigation.many
        if not many:
            raise MalformedQueryError(self._where, path.position, f"any and all are for many: there is one {path.segments[-1]}")
        return here, alias

    def _literal(self, literal: Literal) -> Value:
        match literal.kind:
            case LiteralKind.NULL:
                return Value(type=Type.NULL, sql=sql.SQL("NULL"))
            case LiteralKind.TRUE:
                return _boolean(sql.SQL("true"))
            case LiteralKind.FALSE:
                return _boolean(sql.SQL("false"))
            case LiteralKind.INTERVAL:
                end = self._build.slot(literal.slot + 1, _BARE)
                start = self._build.slot(literal.slot, _BARE)
                return Value(type=Type.INTERVAL, sql=start, end=end, literal=literal.kind, nullable=False)
            case kind:
                bare = self._build.slot(literal.slot, _BARE)
                return Value(type=_TYPES[kind], sql=bare, literal=kind, nullable=False)

    def _negative(self, operand: Expression) -> Value:
        number = as_number(self.value(operand))
        if number is None:
            raise MalformedQueryError(self._where, operand.position, "expected a number after '-'")
        return Value(type=Type.NUMBER, sql=sql.SQL("(- {})").format(number), number="numeric")

    def _operation(self, operation: Operation) -> Value:
        left, right = self.value(operation.left), self.value(operation.right)
        if Type.GEOMETRY in (left.type, right.type):
            self._need_postgis(operation.operator)
        arithmetic = operation.operator in ("add", "sub", "mul", "div", "mod")
        found = (calculate if arithmetic else compare)(operation.operator, left, right)
        if found is None:
            problem = f"{operation.operator} can't be applied to {left.type.value} and {right.type.value}"
            raise MalformedQueryError(self._where, operation.position, problem)
        return found

    def _membership(self, membership: Membership) -> Value:
        parts = [
            self._operation(Operation(operator="eq", left=membership.left, right=item, position=membership.position)).sql
            for item in membership.items
        ]
        return _boolean(sql.SQL("({})").format(sql.SQL(" OR ").join(parts)))

    def _call(self, call: Call) -> Value:
        candidates = FUNCTIONS.get(call.name)
        if candidates is None:
            raise MalformedQueryError(self._where, call.position, f"there is no function {call.name}")
        function = next((f for f in candidates if len(f.arguments) == len(call.arguments)), None)
        if function is None:
            counts = " or ".join(str(len(f.arguments)) for f in candidates)
            raise MalformedQueryError(
                self._where, call.position, f"{call.name} takes {counts} arguments, not {len(call.arguments)}"
            )
        if function.spatial:
            self._need_postgis(call.name)
        found = function.apply(tuple(self.value(argument) for argument in call.arguments))
        if found is None:
            wanted = ", ".join(a.value for a in function.arguments)
            raise MalformedQueryError(self._where, call.position, f"{call.name} takes {wanted}")
        return found

    def _need_postgis(self, what: str) -> None:
        if not self._build.abilities.postgis:
            raise NotServedError(f"{what} on geometries needs PostGIS, which this installation's database does not have")

    def _path(self, path: Path) -> Value:
        named = resolve(path, self._entity, self._build.wire.id_names, self._where)
        alias = self._alias
        here = self._entity
        for depth, navigation in enumerate(named.navigations):
            alias = self._join(tuple(n.name for n in named.navigations[: depth + 1]), here, navigation, alias)
            here = target_of(navigation)
        if named.property is None:
            return Value(type=Type.NUMBER, sql=column(alias, "id"), number="bigint", nullable=False)
        return self._property(named, named.property, alias, here)

    def _join(self, key: tuple[str, ...], entity: EntitySet, navigation: Navigation, own: str) -> str:
        if key in self._aliases:
            return self._aliases[key]
        target = target_of(navigation)
        alias = self._aliases[key] = self._build.alias()
        self.sources.append(sql.SQL("{} {}").format(view(target.table), sql.Identifier(alias)))
        if isinstance(navigation.join, Through):
            # The pairs are joined like any other row: the planner may then start at either end.
            pair = self._build.alias()
            self.sources.append(sql.SQL("{} {}").format(view(navigation.join.table), sql.Identifier(pair)))
            self.conditions.extend(linked(navigation.join, pair, alias, column(own, "id")))
        else:
            self.conditions.append(related(navigation, alias, column(own, "id"), own))
        self.many = self.many or navigation.many
        if not follows(entity, navigation, target):
            self.conditions.extend(self._build.visible(target, alias))
        return alias

    def _property(self, named: Named, found: Property, alias: str, entity: EntitySet) -> Value:
        columns = [column(alias, name) for name in found.columns]
        member = found.members.get(named.inside[0].lower()) if len(named.inside) == 1 else None
        if member is not None:
            return Value(type=Type.NUMBER, sql=column(alias, member), number="bigint", nullable=False)
        if found.kind is Kind.QUALITY:
            columns = [self._build.wire.quality(columns)]
        if named.inside:
            return self._inside(named.inside, columns[-1], found)
        end = columns[1] if len(columns) > 1 else None
        fixed = found.mandatory or found.name == entity.properties[0].name
        return Value(
            type=_KINDS[found.kind],
            sql=columns[0],
            end=end,
            nullable=not fixed or found.kind is Kind.RESULT,
            shape=column(alias, found.shape) if found.shape else None,
        )

    def _inside(self, keys: tuple[str, ...], document: Composable, found: Property) -> Value:
        """Read a part of a JSON document; the keys are bound, as an array in PostgreSQL's notation."""
        quoted = ('"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"' for key in keys)
        path = self._build.constant("{" + ",".join(quoted) + "}", sql.SQL("{}::text[]"))
        cast = sql.SQL("{}::jsonb") if found.kind is Kind.RESULT else _BARE
        return Value(type=Type.JSON, sql=sql.SQL("({} #> {})").format(cast.format(document), path))


def _boolean(composed: Composable) -> Value:
    return Value(type=Type.BOOLEAN, sql=composed)
