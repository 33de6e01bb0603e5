module tracer.test/programs

go 1.19
