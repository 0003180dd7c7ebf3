//! For any tree that a parser can make, parsing its printed text gives it back.

mod commands;

use std::sync::Arc;

use base::Type;
use base::random::Stream;
use syntax::*;

const SEEDS: u64 = 4_000;

#[test]
fn random_statements_survive_printing_and_parsing() {
    for seed in 0..SEEDS {
        let mut make = Make(Stream::new(seed, "round trip", 0));
        let statement = make.statement();
        let text = print(&statement);
        match parse_statement(&text, Dialect::Scenario) {
            Ok(again) => assert!(
                again == statement,
                "seed {seed}: {text}\nbecomes {}\n{statement:#?}\n{again:#?}",
                print(&again)
            ),
            Err(error) => panic!("seed {seed}: {text}\n{error} at {:?}", error.span),
        }
    }
}

/// Random trees of bounded size.
struct Make(Stream);

impl Make {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize].clone()
    }

    fn some<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.coin() { Some(make(self)) } else { None }
    }

    fn many<T>(&mut self, least: u64, make: impl Fn(&mut Self) -> T) -> Vec<T> {
        (0..least + self.below(3)).map(|_| make(self)).collect()
    }

    fn name(&mut self) -> Name {
        Name::new(self.pick(&[
            "a", "b", "users", "A b", "it\"s", "select", "left", "values", "int", "day", "é",
        ]))
    }

    fn object(&mut self) -> ObjectName {
        ObjectName {
            schema: self.some(Self::name),
            name: self.name(),
        }
    }

    fn expr(&mut self, depth: u64) -> Expr {
        let kind = if depth == 0 { self.leaf() } else { self.node(depth - 1) };
        Expr::new(kind, Span::default())
    }

    fn boxed(&mut self, depth: u64) -> Box<Expr> {
        Box::new(self.expr(depth))
    }

    fn leaf(&mut self) -> ExprKind {
        match self.below(8) {
            0 => ExprKind::Null,
            1 => ExprKind::Bool(self.coin()),
            2 => ExprKind::Number(self.pick(&["0", "1.5", ".5", "1e10", "42"]).into()),
            3 => ExprKind::String(self.pick(&["", "it's", "a\\n", "--", "é"]).into()),
            4 => ExprKind::Parameter(1 + self.below(3) as u32),
            5 => ExprKind::Variable(self.name()),
            6 => {
                let name = ObjectName {
                    schema: None,
                    name: Name::new("current_timestamp"),
                };
                ExprKind::Function(FunctionCall {
                    name,
                    arguments: Vec::new(),
                    star: false,
                    distinct: false,
                    filter: None,
                })
            }
            _ => ExprKind::Column((0..1 + self.below(3)).map(|_| self.name()).collect()),
        }
    }

    fn node(&mut self, depth: u64) -> ExprKind {
        let negated = self.coin();
        match self.below(17) {
            0 => ExprKind::Unary {
                operator: self.pick(&[UnaryOperator::Not, UnaryOperator::Minus, UnaryOperator::Plus]),
                operand: self.boxed(depth),
            },
            1..=4 => ExprKind::Binary {
                operator: self.operator(),
                left: self.boxed(depth),
                right: self.boxed(depth),
            },
            5 => ExprKind::IsNull {
                operand: self.boxed(depth),
                negated,
            },
            6 => ExprKind::IsBool {
                operand: self.boxed(depth),
                value: self.some(Self::coin),
                negated,
            },
            7 => ExprKind::IsDistinct {
                left: self.boxed(depth),
                right: self.boxed(depth),
                negated,
            },
            8 => ExprKind::Between {
                operand: self.boxed(depth),
                low: self.boxed(depth),
                high: self.boxed(depth),
                negated,
            },
            9 => ExprKind::In {
                operand: self.boxed(depth),
                // One subquery alone would be `IN (query)`.
                list: vec![self.expr(0), self.expr(depth)],
                negated,
            },
            10 => ExprKind::InQuery {
                operand: self.boxed(depth),
                query: Box::new(self.query(depth)),
                negated,
            },
            11 => ExprKind::Any {
                left: self.boxed(depth),
                operator: self.pick(&[BinaryOperator::Equal, BinaryOperator::Less, BinaryOperator::Concat]),
                right: self.boxed(depth),
            },
            12 => ExprKind::Like {
                operand: self.boxed(depth),
                pattern: self.boxed(depth),
                case_insensitive: self.coin(),
                negated,
            },
            13 => match self.below(4) {
                0 => ExprKind::Exists {
                    query: Box::new(self.query(depth)),
                },
                1 => ExprKind::Subquery(Box::new(self.query(depth))),
                2 => ExprKind::Array(self.many(0, |make| make.expr(0))),
                _ => ExprKind::Row(self.many(0, |make| make.expr(depth))),
            },
            14 => ExprKind::Case {
                operand: self.some(|make| make.boxed(depth)),
                branches: self.many(1, |make| (make.expr(depth), make.expr(depth))),
                otherwise: self.some(|make| make.boxed(depth)),
            },
            15 => ExprKind::Cast {
                operand: self.boxed(depth),
                data_type: self.data_type(),
            },
            _ => ExprKind::Function(self.call(depth)),
        }
    }

    fn operator(&mut self) -> BinaryOperator {
        use BinaryOperator as B;
        self.pick(&[
            B::Or,
            B::And,
            B::Equal,
            B::NotEqual,
            B::Less,
            B::LessOrEqual,
            B::Greater,
            B::GreaterOrEqual,
            B::Add,
            B::Subtract,
            B::Multiply,
            B::Divide,
            B::Modulo,
            B::Power,
            B::Concat,
            B::JsonGet,
            B::JsonGetText,
            B::JsonGetPath,
            B::JsonGetPathText,
            B::HasKey,
            B::Contains,
            B::ContainedBy,
            B::Overlaps,
            B::LeftOf,
            B::RightOf,
            B::Adjacent,
        ])
    }

    fn call(&mut self, depth: u64) -> FunctionCall {
        let name = match self.below(3) {
            0 => self.object(),
            _ => ObjectName {
                schema: None,
                name: Name::new(self.pick(&["coalesce", "left", "count", "lower", "Odd"])),
            },
        };
        let star = self.below(4) == 0;
        let arguments = if star {
            Vec::new()
        } else {
            self.many(0, |make| make.expr(depth))
        };
        FunctionCall {
            name,
            distinct: !arguments.is_empty() && self.below(4) == 0,
            arguments,
            star,
            filter: self.some(|make| make.boxed(depth)),
        }
    }

    fn data_type(&mut self) -> DataType {
        let kind = match self.below(5) {
            0 => DataTypeKind::Known(self.pick(&[
                Type::Bool,
                Type::Int2,
                Type::Int4,
                Type::Int8,
                Type::Text,
                Type::Timestamptz,
                Type::Jsonb,
                Type::Numeric,
                Type::Date,
                Type::Timestamp,
                Type::Interval,
                Type::Float8,
                Type::Uuid,
            ])),
            2 => DataTypeKind::Digits {
                precision: 10,
                scale: 2,
            },
            3 => DataTypeKind::Length(20),
            1 => self.pick(&[DataTypeKind::Serial, DataTypeKind::BigSerial]),
            _ => DataTypeKind::Other(Arc::from(self.pick(&[
                "character(2)",
                "real",
                "text[]",
                "integer[]",
                "timestamp(3) without time zone",
                "time with time zone",
                "\"char\"",
                "s.\"Odd\"",
                "interval(3)",
                "bit varying(3)",
            ]))),
        };
        DataType {
            kind,
            span: Span::default(),
        }
    }

    fn query(&mut self, depth: u64) -> Query {
        let depth = depth.min(2);
        let body = match self.below(5) {
            0 => QueryBody::Values(
                (0..1 + self.below(2))
                    .map(|_| self.many(1, |make| make.expr(depth)))
                    .collect(),
            ),
            1 | 2 if depth > 0 => QueryBody::SetOperation {
                operator: self.pick(&[SetOperator::Union, SetOperator::Intersect, SetOperator::Except]),
                all: self.coin(),
                left: Box::new(self.query(depth - 1)),
                right: Box::new(self.query(depth - 1)),
            },
            _ => QueryBody::Select(Box::new(self.select(depth))),
        };
        let with = if depth > 0 && self.below(4) == 0 {
            self.many(1, |make| make.common_table(depth - 1))
        } else {
            vec![]
        };
        Query {
            with,
            body,
            order_by: if self.coin() {
                self.many(0, |make| make.order_by(depth))
            } else {
                vec![]
            },
            limit: self.some(|make| make.expr(depth)),
            offset: self.some(|make| make.expr(depth)),
            locking: if self.below(4) == 0 {
                self.many(1, Self::locking)
            } else {
                vec![]
            },
            span: Span::default(),
        }
    }

    fn common_table(&mut self, depth: u64) -> CommonTable {
        CommonTable {
            name: self.name(),
            columns: self.many(0, Self::name),
            materialized: self.some(Self::coin),
            statement: Box::new(match self.below(4) {
                0 => Statement::Delete(Box::new(Delete {
                    with: Vec::new(),
                    table: self.object(),
                    only: false,
                    alias: None,
                    using: Vec::new(),
                    filter: None,
                    returning: self.some(Self::returning),
                })),
                _ => Statement::Query(Box::new(self.query(depth))),
            }),
        }
    }

    fn locking(&mut self) -> Locking {
        Locking {
            strength: self.pick(&[RowLock::KeyShare, RowLock::Share, RowLock::NoKeyUpdate, RowLock::Update]),
            of: self.many(0, Self::name),
            wait: self.pick(&[LockWait::Wait, LockWait::NoWait, LockWait::SkipLocked]),
        }
    }

    fn order_by(&mut self, depth: u64) -> OrderBy {
        OrderBy {
            expr: self.expr(depth),
            descending: self.coin(),
            nulls_first: self.some(Self::coin),
        }
    }

    fn select(&mut self, depth: u64) -> Select {
        let distinct = match self.below(4) {
            0 => Distinct::Distinct,
            1 => Distinct::On(self.many(1, |make| make.expr(depth))),
            _ => Distinct::All,
        };
        Select {
            items: self.many(u64::from(distinct != Distinct::All), |make| make.item(depth)),
            distinct,
            into: if self.below(4) == 0 {
                self.many(1, Self::name)
            } else {
                vec![]
            },
            from: self.many(0, |make| make.table_ref(depth)),
            filter: self.some(|make| make.expr(depth)),
            group_by: self.many(0, |make| make.expr(depth)),
            having: self.some(|make| make.expr(depth)),
        }
    }

    fn item(&mut self, depth: u64) -> SelectItem {
        if self.below(4) == 0 {
            return SelectItem::Star {
                qualifier: self.some(Self::object),
                span: Span::default(),
            };
        }
        SelectItem::Expr {
            expr: self.expr(depth),
            alias: self.some(Self::name),
        }
    }

    fn alias(&mut self) -> TableAlias {
        TableAlias {
            name: self.name(),
            columns: self.many(0, Self::name),
        }
    }

    fn table_ref(&mut self, depth: u64) -> TableRef {
        match self.below(5) {
            0 if depth > 0 => TableRef::Derived {
                query: Box::new(self.query(depth - 1)),
                alias: Some(self.alias()),
            },
            1 if depth > 0 => {
                let kind = self.pick(&[
                    JoinKind::Inner,
                    JoinKind::Left,
                    JoinKind::Right,
                    JoinKind::Full,
                    JoinKind::Cross,
                ]);
                let condition = match self.below(3) {
                    _ if kind == JoinKind::Cross => JoinCondition::None,
                    0 => JoinCondition::On(self.expr(depth - 1)),
                    1 => JoinCondition::Using(self.many(1, Self::name)),
                    _ => JoinCondition::Natural,
                };
                TableRef::Join {
                    left: Box::new(self.table_ref(depth - 1)),
                    right: Box::new(self.table_ref(depth - 1)),
                    kind,
                    condition,
                }
            }
            2 => TableRef::Function {
                name: self.object(),
                arguments: self.many(0, |make| make.expr(depth)),
                alias: self.some(Self::alias),
                span: Span::default(),
            },
            _ => TableRef::Table {
                name: self.object(),
                only: self.coin(),
                alias: self.some(Self::alias),
            },
        }
    }

    fn assignments(&mut self) -> Vec<Assignment> {
        self.many(1, |make| Assignment {
            column: make.name(),
            value: make.expr(2),
        })
    }

    fn returning(&mut self) -> Returning {
        Returning {
            items: self.many(1, |make| make.item(1)),
            into: self.many(0, Self::name),
        }
    }

    fn statement(&mut self) -> Statement {
        match self.below(10) {
            0..=3 => Statement::Query(Box::new(self.query(3))),
            4 => Statement::Insert(Box::new(self.insert())),
            5 => Statement::Update(Box::new(Update {
                with: self.many(0, |make| make.common_table(1)),
                table: self.object(),
                only: self.coin(),
                alias: self.some(Self::name),
                assignments: self.assignments(),
                from: self.many(0, |make| make.table_ref(2)),
                filter: self.some(|make| make.expr(3)),
                returning: self.some(Self::returning),
            })),
            6 => Statement::Delete(Box::new(Delete {
                with: self.many(0, |make| make.common_table(1)),
                table: self.object(),
                only: self.coin(),
                alias: self.some(Self::name),
                using: self.many(0, |make| make.table_ref(2)),
                filter: self.some(|make| make.expr(3)),
                returning: self.some(Self::returning),
            })),
            7 => Statement::CreateTable(Box::new(CreateTable {
                name: self.object(),
                if_not_exists: self.coin(),
                columns: self.many(0, Self::column),
                constraints: self.many(0, Self::constraint),
                inherits: self.many(0, Self::object),
                partition_of: None,
                partition_by: self.some(|make| PartitionBy {
                    strategy: make.pick(&[
                        PartitionStrategy::List,
                        PartitionStrategy::Range,
                        PartitionStrategy::Hash,
                    ]),
                    keys: make.many(1, Self::conflict_target),
                }),
                parameters: self.many(0, Self::parameter),
            })),
            8 => Statement::CreateIndex(Box::new(CreateIndex {
                name: Some(self.name()),
                table: self.object(),
                unique: self.coin(),
                if_not_exists: self.coin(),
                columns: self.many(1, |make| make.order_by(2)),
                included: self.many(0, Self::name),
                parameters: self.many(0, Self::parameter),
                filter: self.some(|make| make.expr(2)),
            })),
            _ => self.small_statement(),
        }
    }

    fn insert(&mut self) -> Insert {
        let action = if self.coin() {
            ConflictAction::Nothing
        } else {
            ConflictAction::Update {
                assignments: self.assignments(),
                filter: self.some(|make| make.expr(2)),
            }
        };
        let by_name = self.coin();
        let on_conflict = OnConflict {
            target_filter: None,
            target: if by_name {
                vec![]
            } else {
                self.many(0, Self::conflict_target)
            },
            constraint: by_name.then(|| self.name()),
            action,
        };
        Insert {
            with: self.many(0, |make| make.common_table(1)),
            table: self.object(),
            alias: self.some(Self::name),
            columns: self.many(0, Self::name),
            source: if self.coin() {
                InsertSource::DefaultValues
            } else {
                InsertSource::Query(Box::new(self.query(2)))
            },
            on_conflict: self.coin().then_some(on_conflict),
            returning: self.some(Self::returning),
        }
    }

    fn conflict_target(&mut self) -> Expr {
        match self.coin() {
            true => Expr::new(ExprKind::Column(vec![self.name()]), Span::default()),
            false => self.expr(2),
        }
    }

    fn partition_bound(&mut self) -> PartitionBound {
        match self.below(4) {
            0 => PartitionBound::Default,
            1 => PartitionBound::In(self.many(1, |make| make.expr(1))),
            2 => PartitionBound::Range {
                from: self.many(1, |make| make.expr(1)),
                to: self.many(1, |make| make.expr(1)),
            },
            _ => PartitionBound::Hash {
                modulus: 4,
                remainder: self.below(4) as u32,
            },
        }
    }

    fn parameter(&mut self) -> StorageParameter {
        StorageParameter {
            name: self.name(),
            value: self.some(|make| make.pick(&["70", "on", "it's"]).into()),
        }
    }

    fn column(&mut self) -> ColumnDef {
        let name = self.name();
        let constraints = self.many(0, |make| {
            let mut constraint = make.constraint();
            match &mut constraint.kind {
                ConstraintKind::PrimaryKey(columns)
                | ConstraintKind::Unique(columns)
                | ConstraintKind::ForeignKey { columns, .. } => *columns = vec![name.clone()],
                ConstraintKind::Check(_) => {}
            }
            constraint
        });
        ColumnDef {
            name,
            data_type: self.data_type(),
            not_null: self.coin(),
            default: self.some(|make| make.expr(3)),
            generated: self.some(|make| make.expr(2)),
            constraints,
        }
    }

    fn constraint(&mut self) -> TableConstraint {
        use ReferentialAction as R;
        let actions = [R::NoAction, R::Restrict, R::Cascade, R::SetNull, R::SetDefault];
        let foreign = self.below(2) == 0;
        TableConstraint {
            name: self.some(Self::name),
            deferral: match foreign {
                true => self.pick(&[Deferral::NotDeferrable, Deferral::Deferrable, Deferral::Deferred]),
                false => Deferral::NotDeferrable,
            },
            kind: match if foreign { 3 } else { self.below(3) } {
                0 => ConstraintKind::PrimaryKey(self.many(1, Self::name)),
                1 => ConstraintKind::Unique(self.many(1, Self::name)),
                2 => ConstraintKind::Check(self.expr(3)),
                _ => ConstraintKind::ForeignKey {
                    columns: self.many(1, Self::name),
                    table: self.object(),
                    referenced: self.many(0, Self::name),
                    on_delete: self.pick(&actions),
                    on_update: self.pick(&actions),
                },
            },
            span: Span::default(),
        }
    }
}
