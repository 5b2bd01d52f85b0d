// Indices beyond a border, mirrored about the outermost pixel as often as needed; a side of one pixel repeats it.
fn reflect(index: i32, length: i32) -> i32 {
    let period = max(2 * (length - 1), 1);
    var folded = index % period;
    folded = select(folded, folded + period, folded < 0);
    return min(select(folded, period - folded, folded >= length), length - 1);
}
