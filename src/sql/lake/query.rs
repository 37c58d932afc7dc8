//! A query that is asked, and changes nothing.

use super::{Refused, refused};
use deltalake::datafusion::sql::sqlparser::{ast::SetExpr, dialect::GenericDialect, keywords::Keyword, parser::Parser};

/// Reads a query, of an `expect` or a `done_when`.
///
/// # Errors
/// Where it is none.
pub fn query(text: &str) -> Result<String, Refused> {
    let mut parser = Parser::new(&GenericDialect {})
        .try_with_sql(text)
        .map_err(|error| refused(format!("the query can't be read: {error}"), "see its quotes"))?;
    if parser.peek_keyword(Keyword::SHOW) || parser.peek_keyword(Keyword::DESCRIBE) {
        return Err(refused("only a query can be asked", "write SELECT …"));
    }
    match parser.parse_query() {
        Ok(query) if !matches!(*query.body, SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_)) => {
            Ok(query.to_string())
        }
        Ok(_) => Err(refused("only a query can be asked", "write SELECT …")),
        Err(error) => Err(refused(format!("the query can't be read: {error}"), "write SELECT …")),
    }
}
