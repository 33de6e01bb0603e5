//! Writes and builds a Go program of the size of the largest in production, for the live test of how tracer copes
//! with those. Its code differs from function to function, so that no table of the executable is trivial.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    go::{self, Toolchain},
    matrix, programs, progress, workspace,
};

/// Functions of a package: what the compiler takes a second for.
const FUNCTIONS: usize = 410;

/// How large it is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Size {
    /// 12 MB, built in seconds.
    Everyday,
    /// More than 100 MB, built in minutes.
    Full,
}

impl Size {
    fn packages(self) -> usize {
        match self {
            Self::Everyday => 10,
            Self::Full => 104,
        }
    }

    fn at_least_bytes(self) -> u64 {
        match self {
            Self::Everyday => 10_000_000,
            Self::Full => 100_000_000,
        }
    }
}

/// Builds it as the program `large`, and gives its path.
pub(crate) fn build(toolchain: &Toolchain, size: Size) -> Result<PathBuf> {
    let sources = workspace::target().join("large");
    write_sources(&sources, size.packages())?;
    let output = programs::directory()
        .join(&toolchain.version)
        .join(matrix::PLAIN.name)
        .join("large");
    let message = format!(
        "building the Go program large with Go {}",
        toolchain.version
    );
    progress::during(&message, || {
        go::build_program(toolchain, &sources, &output, &matrix::PLAIN)
    })?;
    let bytes = fs::metadata(&output)?.len();
    ensure!(
        bytes >= size.at_least_bytes(),
        "{} has only {bytes} bytes",
        output.display()
    );
    Ok(output)
}

/// Go's build cache goes by content, so that what is written again is not built again.
fn write_sources(directory: &Path, packages: usize) -> Result<()> {
    let write = |name: String, text: String| {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap_or(directory))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    write(
        "go.mod".to_owned(),
        "module tracer.test/large\n\ngo 1.21\n".to_owned(),
    )?;
    write("main.go".to_owned(), main_package(packages))?;
    (0..packages).try_for_each(|number| write(format!("p{number}/p.go"), package(number)))
}

fn main_package(packages: usize) -> String {
    let imports: String = (0..packages)
        .map(|number| format!("\t\"tracer.test/large/p{number}\"\n"))
        .collect();
    let runs: String = (0..packages)
        .map(|number| format!("p{number}.Run, "))
        .collect();
    MAIN.replace("IMPORTS", &imports).replace("RUNS", &runs)
}

fn package(number: usize) -> String {
    let functions: String = (0..FUNCTIONS)
        .map(|function| {
            FUNCTION
                .replace("LENGTH", &(function % 7 + 1).to_string())
                .replace("NUMBER", &function.to_string())
        })
        .collect();
    let table: String = (0..FUNCTIONS)
        .map(|function| format!("f{function}, "))
        .collect();
    let package = PACKAGE.replace("NUMBER", &number.to_string());
    package.replace("TABLE", &table) + &functions
}

const MAIN: &str = r#"// Package main runs as many functions as its argument says, evenly from all
// packages, again and again. With a second argument it writes a line after each pass.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

IMPORTS)

func main() {
	count, err := strconv.Atoi(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "large:", err)
		os.Exit(2)
	}
	packages := []func(int, int){RUNS}
	fmt.Println("ready")
	for n := 0; ; n++ {
		for _, run := range packages {
			run(count/len(packages), n)
		}
		if len(os.Args) > 2 {
			os.Stdout.WriteString("pass\n")
		}
		time.Sleep(10 * time.Millisecond)
	}
}
"#;

const PACKAGE: &str = "// Package pNUMBER has many functions that allocate.
package pNUMBER

var sink [8]any

// Run calls the first functions of the package.
func Run(count, n int) {
	for _, f := range []func(int){TABLE}[:count] {
		f(n%3 + 1)
	}
}

func pair[T any](a, b T) []T { return []T{a, b} }
";

/// One function of a package; what it calls is inlined into it.
const FUNCTION: &str = "
type tNUMBER struct {
	next *tNUMBER
	name string
	n    int
	tail [LENGTH]uint64
}

func newNUMBER(n int) *tNUMBER { return &tNUMBER{n: n} }

//go:noinline
func fNUMBER(n int) {
	a, b := newNUMBER(n), newNUMBER(n+1)
	a.next = b
	sink[n&7] = a
	list := make([]*tNUMBER, 0, n+1)
	for i := 0; i <= n; i++ {
		list = append(list, newNUMBER(i))
	}
	index := make(map[string]*tNUMBER, len(list))
	for _, v := range list {
		index[v.name] = v
		if v.n > NUMBER {
			v.tail[v.n%len(v.tail)] += uint64(v.n)
		}
	}
	sink[(n+1)&7] = index
	sink[(n+2)&7] = pair(a, b)
}
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_is_run() {
        let main = main_package(2);
        assert!(main.contains("\t\"tracer.test/large/p1\"\n)"), "{main}");
        assert!(main.contains("{p0.Run, p1.Run, }"), "{main}");
    }

    #[test]
    fn every_function_of_a_package_is_in_its_table() {
        let text = package(3);
        assert!(text.starts_with("// Package p3 "));
        assert!(text.contains("{f0, f1, "));
        assert_eq!(text.matches("\nfunc f").count(), FUNCTIONS);
        assert!(text.contains(&format!("f{}(n int)", FUNCTIONS - 1)));
    }
}
