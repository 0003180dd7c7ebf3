//! All designs on one workload, as their pages show them: read off what the compilers make, nothing is run.

use program::{Compilation, NodeKind};
use report::{DesignSheet, DesignSheets, SheetNode};
use scenario::{Diagnostic, Operation, Scenario};

use crate::settings::{Choice, settings};
use crate::{describe, listing};

/// # Errors
///
/// What is wrong with the scenario.
pub fn design_sheets(slug: &str, text: &str) -> Result<DesignSheets, Vec<Diagnostic>> {
    let parsed = scenario::parse(text);
    let Some(mut scenario) = parsed.scenario else {
        return Err(parsed.diagnostics);
    };
    let settings = settings(&mut scenario, &Choice::default())?;
    let Some(operation) = widest(&scenario) else {
        return Ok(DesignSheets {
            scenario: slug.to_owned(),
            scenario_title: scenario.title.clone(),
            operation: String::new(),
            operation_title: String::new(),
            designs: Vec::new(),
        });
    };
    let sheet = |design: &architecture::Design| {
        let (title, summary) = describe(design);
        let compilation = design.compile(&scenario, &settings.sabotage);
        DesignSheet {
            slug: design.slug(),
            title,
            summary,
            nodes: nodes(&compilation),
            programs: listing::programs(&compilation)
                .into_iter()
                .filter(|program| program.operation.as_deref() == Some(&operation.name))
                .collect(),
            weakened: compilation.weakened,
            refusals: compilation.refusals,
        }
    };
    Ok(DesignSheets {
        scenario: slug.to_owned(),
        scenario_title: scenario.title.clone(),
        operation: operation.name.clone(),
        operation_title: operation.title.clone(),
        designs: settings.designs.iter().map(sheet).collect(),
    })
}

/// The writing operation with the most statements; the first of equals.
pub(crate) fn widest(scenario: &Scenario) -> Option<&Operation> {
    let statements = |operation: &&Operation| operation.statements.len();
    let writing = scenario.operations.iter().filter(|operation| !operation.read_only);
    let most = writing.clone().map(|operation| statements(&operation)).max()?;
    writing.clone().find(|operation| statements(operation) == most)
}

fn nodes(compilation: &Compilation) -> Vec<SheetNode> {
    let deployment = &compilation.deployment;
    let nodes = deployment.nodes.iter().enumerate();
    let nodes = nodes.filter_map(|(index, node)| {
        let holds: Vec<String> = match node.kind {
            NodeKind::Client => return None,
            NodeKind::Service => Vec::new(),
            NodeKind::SqlServer => {
                let here = deployment
                    .databases
                    .iter()
                    .filter(|database| database.node.index() == index);
                here.map(|database| database.name.clone()).collect()
            }
            NodeKind::DynamoDb => {
                let here = deployment
                    .item_tables
                    .iter()
                    .filter(|table| table.node.index() == index);
                here.map(|table| table.name.to_string()).collect()
            }
            NodeKind::ObjectStore => {
                let here = deployment.buckets.iter().filter(|bucket| bucket.node.index() == index);
                here.map(|bucket| bucket.name.to_string()).collect()
            }
            NodeKind::EventBus => {
                let here = deployment.topics.iter().filter(|topic| topic.node.index() == index);
                here.map(|topic| topic.name.clone()).collect()
            }
        };
        Some(SheetNode {
            name: node.name.clone(),
            kind: node.kind.words().to_owned(),
            holds,
        })
    });
    nodes.collect()
}
