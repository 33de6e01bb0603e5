#include "funcdata.h"
#include "textflag.h"

// func withoutFramePointer()
//
// The assembler saves the frame pointer on entry and restores it on return.
TEXT ·withoutFramePointer(SB), 0, $8-0
	NO_LOCAL_POINTERS
	MOVQ $0xdead0000, BP
	CALL ·allocate(SB)
	RET
