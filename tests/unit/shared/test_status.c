#include <criterion/criterion.h>
#include <string.h>

#include "libshared/status.h"

Test(status, every_value_has_name_text_and_class)
{
    for (int i = 0; i < VN_STATUS_COUNT; i++) {
        cr_assert_not_null(vn_status_name((enum vn_status)i));
        cr_assert_not_null(vn_status_text((enum vn_status)i));
        cr_assert((i == 0) == (vn_status_class((enum vn_status)i) == VN_CLASS_OK));
        for (int j = 0; j < i; j++)
            cr_assert_str_neq(vn_status_name((enum vn_status)i), vn_status_name((enum vn_status)j));
    }
    cr_assert_str_eq(vn_status_name((enum vn_status)999), "internal");
}

Test(status, exit_codes_are_invertible)
{
    for (int i = 0; i < VN_STATUS_COUNT; i++)
        cr_assert_eq(vn_status_from_exit_code(vn_status_exit_code((enum vn_status)i)), (enum vn_status)i);
    cr_assert_eq(vn_status_from_exit_code(137), VN_ERR_INTERNAL);
    cr_assert_eq(vn_status_from_exit_code(10), VN_ERR_INTERNAL);
}

Test(status, fail_fills_and_truncates)
{
    struct vn_error e;
    cr_assert_eq(vn_fail(&e, VN_ERR_IO, "%s %d", "disk", 7), VN_ERR_IO);
    cr_assert_eq(e.status, VN_ERR_IO);
    cr_assert_str_eq(e.text, "disk 7");
    cr_assert_eq(vn_fail(NULL, VN_ERR_BUSY, "x"), VN_ERR_BUSY);
    char big[2000];
    memset(big, 'a', sizeof big - 1);
    big[sizeof big - 1] = 0;
    cr_assert_eq(vn_fail(&e, VN_ERR_IO, "%s", big), VN_ERR_IO);
    cr_assert_eq(strlen(e.text), sizeof e.text - 1);
}
