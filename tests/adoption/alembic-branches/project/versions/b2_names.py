"""names"""
from alembic import op

revision = "b2"
down_revision = "b1"
depends_on = "networking"


def upgrade():
    op.execute("CREATE TABLE hostname (id integer)")


def downgrade():
    pass
