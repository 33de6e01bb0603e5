//! The command line as a person meets it: help, exit codes, error texts. Needs no privilege and no kernel feature.

#[cfg(test)]
mod tests {
    #[test]
    fn commands_print_what_they_should() {
        trycmd::TestCases::new().case("tests/cmd/*.trycmd");
    }
}
