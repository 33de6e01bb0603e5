//! Tests of the walk, over lists in the test's own memory.

use super::*;
