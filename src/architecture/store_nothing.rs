//! Nothing is stored: a request is answered and forgotten.
//!
//! ```text
//! client ──▶ application ──▶ whoever outside is called
//! ```
//!
//! "Submit and forget": what is written goes nowhere, so that an operation is as good as its calls to the outside and
//! what can be decided from the request alone. Whatever has to be read again cannot be expressed, and neither can a
//! decision about rows that nobody has.

use program::{Compilation, LogicalTable, NodeId, NodeKind, OperationId, ProgramKind, Role};
use scenario::{Action, Operation, Scenario};
use syntax::Statement;

use crate::lower::assembly::Assembly;
use crate::lower::builder::Builder;
use crate::lower::item::{Item, Refused};
use crate::lower::local;
use crate::lower::statement;
use crate::options::setting;
use crate::sql::facts;
use crate::{Architecture, Options, Sabotage, Setting, Standing, Variant};

#[derive(Debug)]
pub(crate) struct StoreNothing;

const SLUG: &str = "store-nothing";

const APPLICATION_CORES: Setting = Setting {
    name: "application_cores",
    default: 4,
    summary: "processors of the application",
};

impl Architecture for StoreNothing {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn title(&self) -> &'static str {
        "Store nothing"
    }

    fn summary(&self) -> &'static str {
        "A request is passed on, answered and forgotten. Nothing can be read again, and nothing can be lost."
    }

    fn standing(&self) -> Standing {
        Standing::Rejected
    }

    fn variants(&self) -> &'static [Variant] {
        &[Variant {
            slug: "",
            title: "Store nothing",
            summary: "Answer and forget.",
        }]
    }

    fn settings(&self) -> &'static [Setting] {
        &[APPLICATION_CORES]
    }

    fn sabotages(&self) -> &'static [Sabotage] {
        &[]
    }

    fn compile(&self, scenario: &Scenario, _: &Options) -> Compilation {
        let mut assembly = Assembly::new(scenario);
        assembly.node("client", NodeKind::Client, u16::MAX);
        let cores = setting(scenario, SLUG, &APPLICATION_CORES);
        let application = assembly.node("application", NodeKind::Service, cores);
        for (operation, id) in scenario.operations.iter().zip(0..) {
            compile_operation(&mut assembly, OperationId(id), operation, application);
        }
        let schema = &scenario.schema;
        for table in &schema.tables {
            let constraint = format!("rows of {}", table.full_name());
            assembly.weaken(
                constraint,
                "forgotten when the request is answered",
                "nothing is stored",
            );
        }
        assembly.finish_with(SLUG.to_owned(), self.title().to_owned(), |id| {
            LogicalTable::nowhere(schema.table(id).full_name(), schema.table(id).typed_columns())
        })
    }
}

fn compile_operation(assembly: &mut Assembly<'_>, id: OperationId, operation: &Operation, application: NodeId) {
    let items = Item::all(operation);
    if let Some(refused) = items.iter().find_map(refusal) {
        assembly.refuse(id, refused);
        return;
    }
    let mut builder = Builder::new(&operation.name, application, ProgramKind::Entry).operation(id, operation);
    builder.entry_parameters(operation);
    let mut body = Vec::new();
    for item in &items {
        // What would be written has no step: it is not done.
        body.extend(match &item.statement.action {
            Action::Sql(sql) if item.statement.reads.is_empty() && !item.writes() => {
                vec![statement::evaluate(&mut builder, item.index, sql)]
            }
            _ => statement::lower(assembly, &mut builder, item, None, Role::Work),
        });
    }
    let answers = local::answers(&mut builder, &items);
    body.push(builder.answer(answers));
    let program = assembly.add(builder.finish(body));
    assembly.enter(id, program);
}

/// Why a statement means nothing where nothing is stored.
fn refusal(item: &Item) -> Option<Refused> {
    let sql = item.sql()?;
    let changes = matches!(sql, Statement::Update(_) | Statement::Delete(_));
    let (reason, hint) = if matches!(sql, Statement::Query(_)) && !item.statement.reads.is_empty() {
        (
            "nothing is stored that could be read",
            "whoever asks has to keep what they will want to see again",
        )
    } else if facts::returning(sql).is_some() {
        (
            "nothing is stored whose columns could be returned",
            "leave RETURNING out, or give the values with the request",
        )
    } else if changes && item.statement.expect_rows.is_some() {
        (
            "whether there is such a row is not known where nothing is stored",
            "leave EXPECT out if it need not be there",
        )
    } else if !changes
        && item
            .statement
            .reads
            .iter()
            .any(|id| !item.statement.writes.contains(id))
    {
        (
            "nothing is stored that could be copied",
            "give the values with the request",
        )
    } else {
        return None;
    };
    Some(Refused::new(item.index, reason, hint))
}
