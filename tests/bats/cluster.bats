#!/usr/bin/env bats
# Clusters of transactions: the order that a miner would take them in.

load helper

@test "no order of a cluster's transactions pays more at any size, and no chunk falls apart" {
	"${BUILD:-$BB_ROOT/build}/clusters" >table
	grep -E ': [0-9]+ of [0-9]+$|^microseconds' table >&3
	grep -x 'known clusters: 21 of 21' table
	grep -x 'clusters of up to 14, against every closed subset: 6000 of 6000' table
	grep -x 'clusters of up to 64, against some: 4000 of 4000' table
}

@test "feerate diagrams compare as their heights at every size" {
	"${BUILD:-$BB_ROOT/build}/clusters" >table
	grep -x 'feerate diagrams: 48 of 48' table
	grep -x 'random diagrams: 20000 of 20000' table
}
