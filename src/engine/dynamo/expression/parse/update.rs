//! Updates: `SET`, `REMOVE`, `ADD` and `DELETE`, each at most once.

use super::{Fault, Mistake, Parser};
use crate::expression::token::TokenKind;
use crate::expression::tree::{SetOperand, SetValue, Update};
use crate::failure::Fallible;
use crate::value::AttributeValue;

impl Parser<'_, '_> {
    pub(super) fn whole_update(&mut self) -> Fallible<Update> {
        let mut update = Update::default();
        let mut sections = Vec::new();
        while self.peek() != TokenKind::End {
            let names = ["SET", "REMOVE", "ADD", "DELETE"];
            let Some(section) = names.into_iter().find(|name| self.take_word(name)) else {
                return Err(self.syntax_error());
            };
            if sections.contains(&section) {
                self.mistake(Mistake::Section, || {
                    format!("The \"{section}\" section can only be used once in an update expression;")
                });
            }
            sections.push(section);
            loop {
                self.clause(section, &mut update)?;
                if !self.take(",") {
                    break;
                }
            }
        }
        Ok(update)
    }

    fn clause(&mut self, section: &str, update: &mut Update) -> Fallible<()> {
        let path = self.path()?;
        match section {
            "SET" => {
                self.expect("=")?;
                let value = self.set_value()?;
                update.set.push((path.clone(), value));
            }
            "REMOVE" => update.remove.push(path.clone()),
            _ => {
                let value = self.value()?;
                let is_set = matches!(
                    value,
                    AttributeValue::Ss(_) | AttributeValue::Ns(_) | AttributeValue::Bs(_)
                );
                let is_sum = section == "ADD" && matches!(value, AttributeValue::N(_));
                if !is_set && !is_sum {
                    self.fault(Fault::OperandType, || {
                        format!(
                            "Incorrect operand type for operator or function; operator: {section}, operand type: {}",
                            long_type_name(&value)
                        )
                    });
                }
                let clauses = if section == "ADD" {
                    &mut update.add
                } else {
                    &mut update.delete
                };
                clauses.push((path.clone(), value));
            }
        }
        self.operator()?;
        self.add_path(&mut update.paths, &path);
        Ok(())
    }

    fn set_value(&mut self) -> Fallible<SetValue> {
        if self.peek() == TokenKind::Symbol("(") {
            self.next += 1;
            let value = self.nested(Self::set_value)?;
            self.expect(")")?;
            return match value {
                // An operand in parentheses may go on.
                SetValue::Operand(operand) => self.rest_of_value(operand),
                other => Ok(other),
            };
        }
        let operand = self.set_operand()?;
        self.rest_of_value(operand)
    }

    fn rest_of_value(&mut self, first: SetOperand) -> Fallible<SetValue> {
        for (symbol, join) in [
            ("+", SetValue::Sum as fn(SetOperand, SetOperand) -> SetValue),
            ("-", SetValue::Difference),
        ] {
            if self.take(symbol) {
                let second = self.set_operand()?;
                self.operator()?;
                for operand in [&first, &second] {
                    match operand {
                        SetOperand::Value(AttributeValue::N(_)) => {}
                        SetOperand::Value(value) => self.wrong_type(symbol, value),
                        _ => {}
                    }
                }
                return Ok(join(first, second));
            }
        }
        Ok(SetValue::Operand(first))
    }

    fn set_operand(&mut self) -> Fallible<SetOperand> {
        if self.take("(") {
            let operand = self.nested(Self::set_operand)?;
            self.expect(")")?;
            return Ok(operand);
        }
        if self.at_call() {
            return self.set_function();
        }
        Ok(if self.peek() == TokenKind::Value {
            SetOperand::Value(self.value()?)
        } else {
            SetOperand::Path(self.path()?)
        })
    }

    fn set_function(&mut self) -> Fallible<SetOperand> {
        let name = self.slice(self.next);
        self.next += 1;
        self.expect("(")?;
        let mut arguments = vec![self.nested(Self::set_operand)?];
        while self.take(",") {
            arguments.push(self.nested(Self::set_operand)?);
        }
        self.expect(")")?;
        self.operator()?;
        let wrong = SetOperand::Value(AttributeValue::Null);
        if !matches!(name, "if_not_exists" | "list_append") {
            self.mistake(Mistake::UnknownFunction, || {
                format!("Invalid function name; function: {name}")
            });
            return Ok(wrong);
        }
        let count = arguments.len();
        let Ok([first, second]) = <[SetOperand; 2]>::try_from(arguments) else {
            self.wrong_count(name, count);
            return Ok(wrong);
        };
        if name == "if_not_exists" {
            return Ok(match first {
                SetOperand::Path(path) => SetOperand::IfNotExists(path, Box::new(second)),
                _ => {
                    self.needs_path(name);
                    wrong
                }
            });
        }
        for operand in [&first, &second] {
            match operand {
                SetOperand::Value(AttributeValue::L(_)) => {}
                SetOperand::Value(value) => self.wrong_type(name, value),
                _ => {}
            }
        }
        Ok(SetOperand::ListAppend(Box::new(first), Box::new(second)))
    }
}

/// As messages about `ADD` and `DELETE` name a type.
fn long_type_name(value: &AttributeValue) -> &'static str {
    match value {
        AttributeValue::S(_) => "STRING",
        AttributeValue::N(_) => "NUMBER",
        AttributeValue::B(_) => "BINARY",
        AttributeValue::Bool(_) => "BOOLEAN",
        AttributeValue::Null => "NULL",
        AttributeValue::L(_) => "LIST",
        AttributeValue::M(_) => "MAP",
        AttributeValue::Ss(_) => "STRING_SET",
        AttributeValue::Ns(_) => "NUMBER_SET",
        AttributeValue::Bs(_) => "BINARY_SET",
    }
}
