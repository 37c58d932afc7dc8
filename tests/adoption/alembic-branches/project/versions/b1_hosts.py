"""hosts"""
from alembic import op

revision = "b1"
down_revision = None
branch_labels = ("hosting",)
depends_on = (
    "a2",  # a route is needed
)


def upgrade():
    op.execute("CREATE TABLE host (id integer)")


def downgrade():
    op.execute("DROP TABLE host")
