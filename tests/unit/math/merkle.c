/* Trees built by every backend, opened and verified; and openings that must be rejected. */
#include <criterion/criterion.h>

#include "tests/unit/math/backends.h"
#include "services/prover-engine/pcs/merkle.h"

enum { LOG_ROWS = 6, ROWS = 64, WIDTH = 5, MAX_OPEN = ROWS };

struct opening {
    struct vn_merkle_tree tree;
    struct vn_digest root;
    uint32_t indices[MAX_OPEN];
    struct vn_digest leaves[MAX_OPEN];
    struct vn_digest siblings[MAX_OPEN * LOG_ROWS];
    size_t n, n_siblings;
};

/* Rows [first, first + n) of the columns. */
static void hash_rows(struct vn_merkle_tree *t, const struct vn_backend *b, struct vn_pool *pool, const vn_fp *const *columns, size_t width, size_t first,
                      size_t n)
{
    const vn_fp *cols[8];
    for (size_t c = 0; c < width; c++)
        cols[c] = columns[c] + first;
    cr_assert_eq(vn_merkle_hash_rows(t, b, pool, cols, width, first, n), VN_OK);
}

static vn_fp data[WIDTH][ROWS];

static void build(struct vn_merkle_tree *t, const struct vn_backend *b, struct vn_pool *pool, size_t n_segments)
{
    test_fill(&data[0][0], WIDTH * ROWS, 1);
    const vn_fp *cols[WIDTH];
    for (size_t c = 0; c < WIDTH; c++)
        cols[c] = data[c];
    cr_assert_eq(vn_merkle_new(t, ROWS), VN_OK);
    for (size_t s = 0; s < n_segments; s++)
        hash_rows(t, b, pool, cols, WIDTH, s * (ROWS / n_segments), ROWS / n_segments);
    vn_merkle_hash_nodes(t, b, pool);
}

static struct vn_digest leaf(size_t row)
{
    vn_fp x[WIDTH];
    for (size_t c = 0; c < WIDTH; c++)
        x[c] = data[c][row];
    return vn_hash(VN_TAG_ROW, x, WIDTH);
}

static void open_rows(struct opening *o, uint64_t mask)
{
    o->n = 0;
    for (uint32_t i = 0; i < ROWS; i++)
        if (mask >> i & 1) {
            o->indices[o->n] = i;
            o->leaves[o->n++] = leaf(i);
        }
    /* The rows of the opened blocks. */
    uint32_t blocks[MAX_OPEN];
    static vn_fp opened[WIDTH][ROWS];
    const vn_fp *cols[WIDTH];
    size_t n_blocks = vn_merkle_blocks(&o->tree, o->indices, o->n, blocks), block = (size_t)1 << o->tree.low;
    for (size_t c = 0; c < WIDTH; c++) {
        cols[c] = opened[c];
        for (size_t i = 0; i < n_blocks; i++)
            memcpy(opened[c] + i * block, data[c] + blocks[i] * block, block * sizeof(vn_fp));
    }
    cr_assert_eq(vn_merkle_open(&o->tree, vn_backend_select(NULL), cols, WIDTH, o->indices, o->n, o->siblings, &o->n_siblings), VN_OK);
    o->root = vn_merkle_root(&o->tree);
}

/* Works on copies, as the verifier overwrites the leaves. */
static int verify_with(const struct vn_batch_hash *hash, const struct opening *o)
{
    vn_fp leaves[VN_DIGEST_LEN * MAX_OPEN], children[VN_MERKLE_CHILDREN(MAX_OPEN)];
    uint32_t scratch[MAX_OPEN];
    for (size_t i = 0; i < o->n; i++)
        for (size_t k = 0; k < VN_DIGEST_LEN; k++)
            leaves[k * o->n + i] = o->leaves[i].c[k];
    return vn_merkle_verify(hash, &o->root, LOG_ROWS, o->indices, leaves, o->n, o->siblings, o->n_siblings, scratch, children);
}

/* What all agree on. */
static int verify(const struct opening *o)
{
    int ok = verify_with(&vn_batch_hash_scalar, o);
    for (int i = 0; i < N_ISAS; i++) {
        const struct vn_backend *b = vn_backend_select(isa_names[i]);
        if (b)
            cr_assert_eq(verify_with(&(struct vn_batch_hash){.rows = b->hash_rows, .nodes = b->hash_nodes}, o), ok);
    }
    return ok;
}

Test(merkle, naive_root)
{
    struct vn_merkle_tree t;
    build(&t, &vn_backend_scalar, NULL, 1);
    struct vn_digest d[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        d[i] = leaf(i);
    for (unsigned level = 1; level <= LOG_ROWS; level++)
        for (size_t i = 0; i < (size_t)ROWS >> level; i++)
            d[i] = vn_hash_node(VN_TAG_NODE, level, &d[2 * i], &d[2 * i + 1]);
    struct vn_digest root = vn_merkle_root(&t);
    cr_assert_arr_eq(root.c, d[0].c, sizeof root.c);
    vn_merkle_free(&t);
}

Test(merkle, same_tree_from_every_backend_pool_and_segmentation)
{
    struct vn_merkle_tree want;
    build(&want, &vn_backend_scalar, NULL, 1);
    struct vn_pool *pool;
    cr_assert_eq(vn_pool_new(&pool, 3), VN_OK);
    for (int i = 0; i < N_ISAS; i++) {
        const struct vn_backend *b = vn_backend_select(isa_names[i]);
        for (size_t segments = 1; b && segments <= (size_t)ROWS >> want.low; segments *= 2) {
            struct vn_merkle_tree t;
            build(&t, b, pool, segments);
            cr_assert_eq(t.log_rows, want.log_rows);
            cr_assert_arr_eq(t.nodes, want.nodes, vn_merkle_elements(&t) * sizeof(vn_fp));
            vn_merkle_free(&t);
        }
    }
    vn_merkle_free(&want);
    vn_pool_free(pool);
}

Test(merkle, large_tree_over_the_pool)
{
    enum { LARGE = 1 << 13 };
    vn_fp *col = test_column(LARGE, 8);
    const vn_fp *cols[1] = {col};
    struct vn_pool *pool;
    struct vn_merkle_tree a, b;
    cr_assert_eq(vn_pool_new(&pool, 2), VN_OK);
    cr_assert_eq(vn_merkle_new(&a, LARGE), VN_OK);
    cr_assert_eq(vn_merkle_new(&b, LARGE), VN_OK);
    for (size_t half = 0; half < 2; half++)
        hash_rows(&a, vn_backend_select(NULL), pool, cols, 1, half * (LARGE / 2), LARGE / 2);
    vn_merkle_hash_nodes(&a, vn_backend_select(NULL), pool);
    hash_rows(&b, &vn_backend_scalar, NULL, cols, 1, 0, LARGE);
    vn_merkle_hash_nodes(&b, &vn_backend_scalar, NULL);
    cr_assert_arr_eq(a.nodes, b.nodes, vn_merkle_elements(&a) * sizeof(vn_fp));
    cr_assert_eq(vn_merkle_hash_rows(&a, &vn_backend_scalar, NULL, cols, 1, 8, 16), VN_ERR_ARGUMENT, "not a whole block");
    cr_assert_eq(vn_merkle_hash_rows(&a, &vn_backend_scalar, NULL, cols, 1, LARGE, 16), VN_ERR_ARGUMENT, "past the end");
    vn_merkle_free(&a);
    vn_merkle_free(&b);
    cr_assert_eq(vn_merkle_new(&a, 3), VN_ERR_ARGUMENT);
    cr_assert_eq(vn_merkle_new(&a, 0), VN_ERR_ARGUMENT);
    vn_pool_free(pool);
    free(col);
}

static struct opening o;

Test(merkle, openings_verify)
{
    build(&o.tree, &vn_backend_scalar, NULL, 1);
    uint64_t seed = 5;
    for (int round = 0; round < 40; round++) {
        uint64_t mask = test_random(&seed);
        for (int thin = round % 5; thin; thin--)
            mask &= test_random(&seed);
        mask |= (uint64_t)1 << round;
        open_rows(&o, round == 0 ? UINT64_MAX : mask);
        uint32_t scratch[MAX_OPEN];
        cr_assert_eq(vn_merkle_sibling_count(LOG_ROWS, o.indices, o.n, scratch), o.n_siblings);
        cr_assert(verify(&o));
    }
    vn_merkle_free(&o.tree);
}

Test(merkle, altered_openings_are_rejected)
{
    build(&o.tree, &vn_backend_scalar, NULL, 1);
    open_rows(&o, 0x8000000000410013u);
    cr_assert(verify(&o));
    for (size_t i = 0; i < o.n; i++) {
        o.leaves[i].c[i % VN_DIGEST_LEN] ^= 1;
        cr_assert_not(verify(&o), "leaf %zu", i);
        o.leaves[i].c[i % VN_DIGEST_LEN] ^= 1;
        o.indices[i] ^= 8;
        cr_assert_not(verify(&o), "index %zu", i);
        o.indices[i] ^= 8;
    }
    for (size_t i = 0; i < o.n_siblings; i++) {
        o.siblings[i].c[i % VN_DIGEST_LEN] ^= 1;
        cr_assert_not(verify(&o), "sibling %zu", i);
        o.siblings[i].c[i % VN_DIGEST_LEN] ^= 1;
    }
    o.n_siblings--;
    cr_assert_not(verify(&o), "one missing");
    o.n_siblings += 2;
    cr_assert_not(verify(&o), "one extra");
    o.n_siblings--;
    o.root.c[8] ^= 1;
    cr_assert_not(verify(&o), "root");
    o.root.c[8] ^= 1;

    struct opening bad = o;
    bad.indices[0] = o.indices[1];
    bad.indices[1] = o.indices[0];
    bad.leaves[0] = o.leaves[1];
    bad.leaves[1] = o.leaves[0];
    cr_assert_not(verify(&bad), "order");
    bad = o;
    bad.indices[1] = bad.indices[0];
    cr_assert_not(verify(&bad), "twice");
    bad = o;
    bad.indices[bad.n - 1] += ROWS;
    cr_assert_not(verify(&bad), "past the end");
    bad = o;
    bad.n = 0;
    cr_assert_not(verify(&bad), "nothing opened");
    cr_assert(verify(&o));
    vn_merkle_free(&o.tree);
}

Test(merkle, single_paths)
{
    build(&o.tree, &vn_backend_scalar, NULL, 1);
    for (uint32_t i = 0; i < ROWS; i += 7) {
        open_rows(&o, (uint64_t)1 << i);
        cr_assert_eq(o.n_siblings, LOG_ROWS);
        struct vn_digest d = leaf(i);
        cr_assert(vn_merkle_verify_path(&o.root, VN_TAG_NODE, LOG_ROWS, i, &d, o.siblings));
        cr_assert_not(vn_merkle_verify_path(&o.root, VN_TAG_NODE, LOG_ROWS, i ^ 1, &d, o.siblings));
        cr_assert_not(vn_merkle_verify_path(&o.root, VN_TAG_NODE, LOG_ROWS, i + ROWS, &d, o.siblings));
        cr_assert_not(vn_merkle_verify_path(&o.root, VN_TAG_CONTRIBUTION, LOG_ROWS, i, &d, o.siblings));
        cr_assert_not(vn_merkle_verify_path(&o.root, VN_TAG_NODE, LOG_ROWS - 1, i, &d, o.siblings));
    }
    struct vn_digest d = leaf(0);
    cr_assert(vn_merkle_verify_path(&d, VN_TAG_CONTRIBUTION, 0, 0, &d, NULL));
    vn_merkle_free(&o.tree);
}
